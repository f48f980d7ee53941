//! How a producer batches, waits and retries. Names and defaults are Kafka's.

use std::time::Duration;

use wire::compress::{Compression, CompressionType};

use super::Producer;
use crate::error::{Error, Result};
use crate::options::{ClientOptions, invalid, parse, parse_ms};

/// Which acknowledgement counts as delivered (`acks`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Acks {
    /// None: a record is delivered when it is written to the socket.
    None,
    /// That of the leader.
    Leader,
    /// That of all replicas in sync.
    #[default]
    All,
}

/// Options of a producer; also its builder.
#[derive(Clone, Debug)]
pub struct ProducerOptions {
    /// What all clients share.
    pub client: ClientOptions,
    /// Which acknowledgement counts (`acks`).
    pub acks: Acks,
    /// Whether the broker drops duplicates of retries (`enable.idempotence`). `None`: when `acks` is all and at most five
    /// requests are in flight.
    pub idempotence: Option<bool>,
    /// A batch is full when it has so many bytes before compression (`batch.size`).
    pub batch_size: usize,
    /// How long a batch that is not full waits for more records (`linger.ms`).
    pub linger: Duration,
    /// The codec of batches (`compression.type`).
    pub compression: Compression,
    /// Bytes of records that may wait for delivery; then `send` waits (`buffer.memory`).
    pub buffer_memory: usize,
    /// How long `send` waits for metadata or memory (`max.block.ms`).
    pub max_block: Duration,
    /// The time from `send` to delivery, retries included (`delivery.timeout.ms`).
    pub delivery_timeout: Duration,
    /// How often a batch is sent again (`retries`).
    pub retries: u32,
    /// Requests in flight to one broker (`max.in.flight.requests.per.connection`).
    pub max_in_flight: usize,
    /// The largest request, and the largest record, in bytes (`max.request.size`).
    pub max_request_size: usize,
    /// How long the leader may wait for the replicas (`request.timeout.ms`).
    pub request_timeout: Duration,
}

impl ProducerOptions {
    /// Kafka's defaults.
    pub fn new(bootstrap_servers: &str) -> Self {
        let client = ClientOptions::new(bootstrap_servers);
        Self {
            request_timeout: client.request_timeout,
            client,
            acks: Acks::All,
            idempotence: None,
            batch_size: 16 * 1024,
            linger: Duration::from_millis(5),
            compression: Compression::None,
            buffer_memory: 32 * 1024 * 1024,
            max_block: Duration::from_secs(60),
            delivery_timeout: Duration::from_secs(120),
            retries: i32::MAX as u32,
            max_in_flight: 5,
            max_request_size: 1024 * 1024,
        }
    }

    /// With these acknowledgements.
    pub fn acks(mut self, acks: Acks) -> Self {
        self.acks = acks;
        self
    }

    /// With or without idempotence.
    pub fn idempotence(mut self, idempotence: bool) -> Self {
        self.idempotence = Some(idempotence);
        self
    }

    /// With batches of so many bytes.
    pub fn batch_size(mut self, bytes: usize) -> Self {
        self.batch_size = bytes;
        self
    }

    /// With this wait for more records.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// With this codec, at its default level.
    pub fn compression(mut self, compression: CompressionType) -> Self {
        self.compression = Compression::with_default_level(compression);
        self
    }

    /// With so much memory for records that wait.
    pub fn buffer_memory(mut self, bytes: usize) -> Self {
        self.buffer_memory = bytes;
        self
    }

    /// Calls itself this.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client.client_id = client_id.into();
        self
    }

    /// Sets an option by Kafka's name; false when a producer has none of that name here.
    ///
    /// # Errors
    /// A value that is not of the option's type.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool> {
        match name {
            "acks" => {
                self.acks = match value {
                    "0" => Acks::None,
                    "1" => Acks::Leader,
                    "-1" | "all" => Acks::All,
                    _ => return Err(invalid(name, value)),
                }
            }
            "enable.idempotence" => self.idempotence = Some(parse(name, value)?),
            "batch.size" => self.batch_size = parse(name, value)?,
            "linger.ms" => self.linger = parse_ms(name, value)?,
            "compression.type" => {
                let codec: CompressionType = parse(name, value)?;
                if self.compression.compression_type() != codec {
                    self.compression = Compression::with_default_level(codec);
                }
            }
            "compression.gzip.level" => self.compression = Compression::Gzip(parse(name, value)?),
            "compression.lz4.level" => self.compression = Compression::Lz4(parse(name, value)?),
            "compression.zstd.level" => self.compression = Compression::Zstd(parse(name, value)?),
            "buffer.memory" => self.buffer_memory = parse(name, value)?,
            "max.block.ms" => self.max_block = parse_ms(name, value)?,
            "delivery.timeout.ms" => self.delivery_timeout = parse_ms(name, value)?,
            "retries" => self.retries = parse(name, value)?,
            "max.in.flight.requests.per.connection" => self.max_in_flight = parse(name, value)?,
            "max.request.size" => self.max_request_size = parse(name, value)?,
            "request.timeout.ms" => {
                self.request_timeout = parse_ms(name, value)?;
                self.client.request_timeout = self.request_timeout;
            }
            "transactional.id" => {
                return Err(Error::Unsupported("Transactions are not supported by this client.".to_owned()));
            }
            _ => return self.client.set(name, value),
        }
        Ok(true)
    }

    /// Whether the producer is idempotent.
    ///
    /// # Errors
    /// When it was asked for and the other options rule it out, or when an option makes no sense.
    pub(crate) fn validated(&self) -> Result<bool> {
        let possible = self.acks == Acks::All && self.max_in_flight <= 5 && self.retries > 0;
        if self.idempotence == Some(true) && !possible {
            return Err(Error::Invalid(
                "enable.idempotence needs acks=all, retries and at most 5 \
                 max.in.flight.requests.per.connection"
                    .to_owned(),
            ));
        }
        if self.max_in_flight == 0 {
            return Err(invalid("max.in.flight.requests.per.connection", "0"));
        }
        Ok(self.idempotence.unwrap_or(possible))
    }

    /// Connects and gives the producer.
    ///
    /// # Errors
    /// Options that do not fit together, or no bootstrap server that answers in time.
    pub async fn build(self) -> Result<Producer> {
        Producer::start(self).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idempotence_follows_from_the_other_options() {
        let check = |settings: &[(&str, &str)], expect: Option<bool>| {
            let mut options = ProducerOptions::new("h:1");
            for (name, value) in settings {
                assert_eq!(options.set(name, value), Ok(true));
            }
            assert_eq!(options.validated().ok(), expect, "{settings:?}");
        };
        check(&[], Some(true));
        check(&[("acks", "1")], Some(false));
        check(&[("acks", "-1")], Some(true));
        check(&[("acks", "1"), ("enable.idempotence", "true")], None);
        check(&[("max.in.flight.requests.per.connection", "6")], Some(false));
        check(&[("enable.idempotence", "false")], Some(false));
        check(&[("retries", "0")], Some(false));
    }

    #[test]
    fn a_level_survives_its_codec_in_any_order() {
        for order in
            [["compression.type", "compression.gzip.level"], ["compression.gzip.level", "compression.type"]]
        {
            let mut options = ProducerOptions::new("h:1");
            for name in order {
                let value = if name.ends_with("type") { "gzip" } else { "9" };
                assert_eq!(options.set(name, value), Ok(true));
            }
            assert_eq!(options.compression, Compression::Gzip(9));
        }
    }
}
