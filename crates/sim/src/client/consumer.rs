//! A consumer that reads partitions by assignment: fetch sessions or none, long polls, resets when a log is shorter.

use std::collections::BTreeMap;

use base::error_code::ErrorCode;
use base::ids::TopicId;
use base::time::{MonoTime, Now};
use protocol::api::ApiKey;
use protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use protocol::messages::fetch_response::{FetchResponse, PartitionData};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use protocol::messages::list_offsets_response::ListOffsetsResponse;
use wire::reader::Reader;

use super::link::{Link, Received, any_version, read};
use super::topics::Topics;
use super::{Client, Io};
use crate::content;
use crate::event::Event;
use crate::ledger::Place;
use crate::network::Network;
use crate::random::Random;

/// A consumer.
pub struct Consumer {
    name: String,
    link: Link<What>,
    topics: Topics,
    metadata: (ApiKey, i16),
    list_offsets: (ApiKey, i16),
    fetch: (ApiKey, i16),
    max_wait_ms: i32,
    min_bytes: i32,
    partition_max_bytes: i32,
    read_committed: bool,
    /// Uses an incremental session.
    incremental: bool,
    session_id: i32,
    session_epoch: i32,
    positions: BTreeMap<Place, Position>,
    /// What the session was told last.
    told: BTreeMap<Place, (TopicId, i64)>,
    /// What the open fetch wants.
    fetching: Option<BTreeMap<Place, (TopicId, i64)>>,
    rest_until: MonoTime,
    ending: bool,
}

#[derive(Clone, Copy, Debug)]
struct Position {
    id: TopicId,
    /// The next offset; `None` must be looked up.
    offset: Option<i64>,
    /// As it was told last.
    high_watermark: Option<i64>,
}

enum What {
    Metadata,
    ListOffsets,
    /// With the positions that it was for.
    Fetch(BTreeMap<Place, (TopicId, i64)>),
}

impl Consumer {
    /// A consumer whose habits are drawn from `random`.
    pub fn new(name: &str, random: &mut Random) -> Self {
        let fetch = any_version(ApiKey::FETCH, 4, random);
        Self {
            name: name.to_owned(),
            link: Link::new(name),
            topics: Topics::default(),
            metadata: any_version(ApiKey::METADATA, if fetch.1 >= 13 { 10 } else { 1 }, random),
            list_offsets: any_version(ApiKey::LIST_OFFSETS, 1, random),
            fetch,
            max_wait_ms: *random.pick(&[0, 10, 500]),
            min_bytes: *random.pick(&[0, 1, 1, 1000]),
            partition_max_bytes: *random.pick(&[1, 300, 5000, 1 << 20]),
            read_committed: random.chance(1, 3),
            incremental: fetch.1 >= 7 && random.chance(2, 3),
            session_id: 0,
            session_epoch: 0,
            positions: BTreeMap::new(),
            told: BTreeMap::new(),
            fetching: None,
            rest_until: MonoTime(0),
            ending: false,
        }
    }

    fn on_answer(&mut self, what: What, version: i16, body: Reader, life: u64, io: &mut Io<'_>) {
        self.fetching = None;
        match what {
            What::Metadata => {
                let name = self.name.clone();
                self.topics.learn(&name, &read(body, version), version, io);
                self.assign(io);
            }
            What::ListOffsets => self.on_offsets(&read(body, version), io),
            What::Fetch(asked) => self.on_fetch(&asked, read(body, version), life, io),
        }
    }

    /// Reads all there is.
    fn assign(&mut self, io: &mut Io<'_>) {
        let places: BTreeMap<_, _> = self.topics.places(io).into_iter().collect();
        self.positions.retain(|place, _| places.contains_key(place));
        for (place, known) in places {
            let new = Position { id: known.id, offset: None, high_watermark: None };
            self.positions.entry(place).or_insert(new);
        }
        self.rest_until = io.now.mono.plus_ms(if self.positions.is_empty() { 20 } else { 0 });
        self.topics.stale = self.positions.is_empty();
    }

    fn on_offsets(&mut self, response: &ListOffsetsResponse, io: &mut Io<'_>) {
        for topic in &response.topics {
            for partition in &topic.partitions {
                let place = Place { topic: topic.name.as_str().into(), partition: partition.partition_index };
                match partition.error_code {
                    ErrorCode::NONE => {
                        if let Some(position) = self.positions.get_mut(&place) {
                            // A time after all records has no offset: the begin will do.
                            position.offset = Some(partition.offset.max(0));
                        }
                    }
                    code => self.refused(ApiKey::LIST_OFFSETS, code, io),
                }
            }
        }
    }

    fn refused(&mut self, api: ApiKey, code: ErrorCode, io: &mut Io<'_>) {
        io.events.push(Event::Refused { client: self.name.clone(), api, code });
        self.topics.stale = true;
        self.rest_until = io.now.mono.plus_ms(io.random.range(1, 20));
    }

    fn end_session(&mut self) {
        (self.session_id, self.session_epoch) = (0, 0);
        self.told.clear();
    }

    fn on_fetch(
        &mut self,
        asked: &BTreeMap<Place, (TopicId, i64)>,
        response: FetchResponse,
        life: u64,
        io: &mut Io<'_>,
    ) {
        if response.error_code != ErrorCode::NONE {
            self.end_session();
            return self.refused(ApiKey::FETCH, response.error_code, io);
        }
        if self.incremental && response.session_id != 0 {
            self.session_id = response.session_id;
            self.session_epoch += 1;
            self.told = asked.clone();
        } else {
            self.end_session();
        }
        let mut any = false;
        for topic in response.responses {
            for data in topic.partitions {
                let place = asked.iter().find(|(place, (id, _))| {
                    let named =
                        *place.topic == topic.topic || (topic.topic.is_empty() && topic.topic_id == id.0);
                    named && place.partition == data.partition_index
                });
                let Some((place, (_, position))) = place else {
                    panic!("nobody asked for {} {:?}", topic.topic, topic.topic_id)
                };
                any |= self.on_partition(place, *position, &data, life, io);
            }
        }
        if !any && self.max_wait_ms == 0 {
            self.rest_until = io.now.mono.plus_ms(io.random.range(1, 10));
        }
    }

    /// True when it had records.
    fn on_partition(
        &mut self,
        place: &Place,
        asked: i64,
        data: &PartitionData,
        life: u64,
        io: &mut Io<'_>,
    ) -> bool {
        let Some(position) = self.positions.get_mut(place) else { return false };
        match data.error_code {
            ErrorCode::NONE => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                position.offset = None;
                if !io.ledger.topic(&place.topic).is_some_and(|topic| topic.retained) {
                    self.refused(ApiKey::FETCH, data.error_code, io);
                }
                return false;
            }
            code => {
                self.refused(ApiKey::FETCH, code, io);
                return false;
            }
        }
        let bytes = data.records.as_ref().map(|records| records.to_bytes().expect("an answer is in memory"));
        let records = content::read(&bytes.unwrap_or_default(), true);
        let last = records.as_ref().ok().and_then(|records| records.last()).map(|seen| seen.offset);
        position.high_watermark = Some(data.high_watermark);
        if let Some(last) = last {
            position.offset = Some(last + 1);
        }
        io.events.push(Event::Fetched {
            life,
            place: place.clone(),
            position: asked,
            high_watermark: data.high_watermark,
            records,
        });
        last.is_some()
    }

    fn ask_offsets(&mut self, io: &mut Io<'_>) -> bool {
        let unknown = self.positions.iter().filter(|(_, position)| position.offset.is_none());
        // Mostly the begin; sometimes a time, or the end.
        let timestamp = match io.random.below(8) {
            0 => -1,
            1 => io.now.wall.0 - 100,
            _ => -2,
        };
        let topics: Vec<_> = unknown
            .map(|(place, _)| ListOffsetsTopic {
                name: place.topic.to_string(),
                partitions: vec![ListOffsetsPartition {
                    partition_index: place.partition,
                    timestamp,
                    ..ListOffsetsPartition::default()
                }],
            })
            .collect();
        if topics.is_empty() {
            return false;
        }
        let isolation_level = if self.list_offsets.1 >= 2 { i8::from(self.read_committed) } else { 0 };
        let request = ListOffsetsRequest { replica_id: -1, isolation_level, topics, timeout_ms: 1000 };
        self.link.send(io, self.list_offsets, &request, What::ListOffsets, true);
        true
    }

    fn send_fetch(&mut self, io: &mut Io<'_>) {
        let wanted: BTreeMap<Place, (TopicId, i64)> = self
            .positions
            .iter()
            .filter_map(|(place, position)| Some((place.clone(), (position.id, position.offset?))))
            .collect();
        let in_session = self.session_id != 0;
        let changed =
            wanted.iter().filter(|(place, what)| !in_session || self.told.get(*place) != Some(*what));
        let topics = changed.map(|(place, (id, offset))| FetchTopic {
            topic: place.topic.to_string(),
            topic_id: id.0,
            partitions: vec![FetchPartition {
                partition: place.partition,
                fetch_offset: *offset,
                partition_max_bytes: self.partition_max_bytes,
                ..FetchPartition::default()
            }],
        });
        let forgotten = self.told.iter().filter(|(place, _)| in_session && !wanted.contains_key(*place));
        let forgotten = forgotten.map(|(place, (id, _))| ForgottenTopic {
            topic: place.topic.to_string(),
            topic_id: id.0,
            partitions: vec![place.partition],
        });
        let request = FetchRequest {
            max_wait_ms: self.max_wait_ms,
            min_bytes: self.min_bytes,
            max_bytes: 1 << 20,
            isolation_level: i8::from(self.read_committed),
            session_id: self.session_id,
            session_epoch: if self.incremental { self.session_epoch } else { -1 },
            topics: topics.collect(),
            forgotten_topics_data: forgotten.collect(),
            ..FetchRequest::default()
        };
        self.fetching = Some(wanted.clone());
        self.link.send(io, self.fetch, &request, What::Fetch(wanted), true);
    }

    fn is_behind(&self) -> bool {
        self.positions.values().any(|position| match (position.offset, position.high_watermark) {
            (Some(offset), Some(high_watermark)) => offset < high_watermark,
            _ => true,
        })
    }

    fn wants_more(&self) -> bool {
        !self.ending || self.is_behind()
    }
}

impl Client for Consumer {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_ready(&self, network: &Network, now: Now) -> bool {
        let rested = self.rest_until <= now.mono;
        match self.link.is_connected() {
            true => {
                self.link.is_ready(network, now) || (rested && self.link.open() == 0 && self.wants_more())
            }
            false => self.link.is_ready(network, now) && rested && self.wants_more(),
        }
    }

    fn next_timeout(&self) -> Option<MonoTime> {
        match (self.link.is_connected(), self.link.open()) {
            (true, 0) => self.wants_more().then_some(self.rest_until),
            (true, _) => self.link.next_timeout(),
            (false, _) if !self.wants_more() => None,
            (false, _) => self.link.next_timeout().map(|at| at.max(self.rest_until)),
        }
    }

    fn step(&mut self, io: &mut Io<'_>) {
        match self.link.receive(io) {
            Received::Answer { what, version, body, life } => {
                return self.on_answer(what, version, body, life, io);
            }
            Received::Lost(_) => {
                (self.topics.stale, self.fetching) = (true, None);
                return self.end_session();
            }
            Received::Nothing => {}
        }
        if !self.link.connect(io) {
            return;
        }
        if self.link.open() > 0 || self.rest_until > io.now.mono {
            return;
        }
        if io.random.chance(1, 200) {
            self.link.disconnect(io);
            return self.end_session();
        }
        if self.topics.stale || io.random.chance(1, 20) {
            let request = self.topics.request(self.metadata.1, false, io);
            self.topics.stale = false;
            return self.link.send(io, self.metadata, &request, What::Metadata, true);
        }
        if !self.ask_offsets(io) {
            self.send_fetch(io);
        }
    }

    fn fetching(&self) -> Vec<(Place, i64)> {
        // One that wants more than a byte may wait although there is one.
        let wanted = self.fetching.iter().filter(|_| self.min_bytes <= 1 && self.link.open() > 0).flatten();
        wanted.map(|(place, (_, offset))| (place.clone(), *offset)).collect()
    }

    fn wind_down(&mut self) {
        self.ending = true;
        // Metadata once more: topics may have come or gone.
        self.topics.stale = true;
        self.positions.values_mut().for_each(|position| position.high_watermark = None);
    }

    fn waits_for(&self) -> Option<String> {
        let is_behind = self.is_behind();
        match self.link.open() {
            0 if !is_behind => None,
            open => Some(format!("{}: {open} requests open, behind: {is_behind}", self.name)),
        }
    }
}
