//! One connection to one server: frames out, frames in, each answer to its question.
//!
//! ```text
//! call ──► queue ──► write task ──► socket
//!                        │ pending (in the order of writing)
//! call ◄── oneshot ◄── read task ◄── socket
//! ```
//! Invariant: answers come in the order of the requests, so `pending` is a queue; an answer with another correlation id
//! than the queue's head breaks the connection. A broken connection fails everything pending and is never used again.

mod tasks;

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use protocol::Message;
use protocol::api::ApiKey;
use protocol::messages::api_versions_request::ApiVersionsRequest;
use protocol::messages::api_versions_response::ApiVersionsResponse;
use protocol::request::{RequestHeader, decode_response_header};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use wire::output::Output;
use wire::piece::Piece;
use wire::reader::Reader;

use base::error_code::ErrorCode;

use crate::call::Call;
use crate::error::{Error, Result};
use crate::options::ClientOptions;
use crate::versions::{ServerVersions, VersionRange};

/// A handle; cheap to clone. The socket closes when the last one is gone.
#[derive(Clone, Debug)]
pub struct Connection {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    address: String,
    client_id: String,
    versions: ServerVersions,
    next_correlation_id: AtomicI32,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
}

/// A frame on its way to the socket.
#[derive(Debug)]
struct Outgoing {
    pieces: Vec<Bytes>,
    then: Then,
}

/// What follows a frame.
#[derive(Debug)]
enum Then {
    /// An answer.
    Answer(Pending),
    /// Nothing; whoever sent it hears when the socket has it.
    Written(oneshot::Sender<Result<()>>),
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Pending {
    correlation_id: i32,
    api_key: ApiKey,
    version: i16,
    reply: oneshot::Sender<Result<Reader>>,
}

/// What both tasks and the handles see.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pending: VecDeque<Pending>,
    broken: Option<Error>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks the connection as broken and fails what waits. The first reason stays.
    fn fail(&self, error: &Error) {
        let pending = {
            let mut state = self.state();
            state.broken.get_or_insert_with(|| error.clone());
            std::mem::take(&mut state.pending)
        };
        for one in pending {
            let _ = one.reply.send(Err(error.clone()));
        }
    }
}

impl Connection {
    /// Connects to `address` (`host:port`) and asks which versions the server has.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when nobody listens there or answers in time.
    pub async fn open(address: &str, options: &ClientOptions) -> Result<Self> {
        let unavailable = |why: &dyn std::fmt::Display| {
            Error::Unavailable(format!("Connection to {address} could not be established: {why}"))
        };
        let stream = match timeout(options.connect_timeout, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(unavailable(&error)),
            Err(_) => return Err(unavailable(&"timed out")),
        };
        stream.set_nodelay(true).map_err(|error| unavailable(&error))?;
        let mut connection = Self::start(address, stream, options);
        let versions = connection.negotiate(options.request_timeout).await?;
        Arc::get_mut(&mut connection.inner).expect("nobody else has it yet").versions = versions;
        Ok(connection)
    }

    fn start(address: &str, stream: TcpStream, options: &ClientOptions) -> Self {
        let (read, write) = stream.into_split();
        let (outgoing, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::default());
        let tasks = [
            tokio::spawn(tasks::write(write, queue, shared.clone(), address.to_owned())).abort_handle(),
            tokio::spawn(tasks::read(read, shared.clone(), address.to_owned())).abort_handle(),
        ];
        Self {
            inner: Arc::new(Inner {
                address: address.to_owned(),
                client_id: options.client_id.clone(),
                versions: ServerVersions::default(),
                next_correlation_id: AtomicI32::new(0),
                outgoing,
                shared,
                tasks,
            }),
        }
    }

    /// ApiVersions; a server that does not have our version says so in version 0 and names its own (KIP-511).
    async fn negotiate(&self, time: Duration) -> Result<ServerVersions> {
        let request = ApiVersionsRequest {
            client_software_name: "ottla".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let latest = ApiKey::API_VERSIONS.api().map_or(0, |api| api.max);
        let mut reader = self.exchange(latest, &request, time).await?;
        let mut answer = match ApiVersionsResponse::decode(&mut reader.clone(), 0) {
            Ok(old) if old.error_code == ErrorCode::UNSUPPORTED_VERSION => old,
            _ => ApiVersionsResponse::decode(&mut reader, latest)?,
        };
        if answer.error_code == ErrorCode::UNSUPPORTED_VERSION {
            let named = answer.api_keys.iter().find(|api| api.api_key == ApiKey::API_VERSIONS.0);
            let version = named.map_or(0, |api| api.max_version.clamp(0, latest));
            let mut reader = self.exchange(version, &request, time).await?;
            answer = ApiVersionsResponse::decode(&mut reader, version)?;
        }
        Error::check(answer.error_code, None)?;
        Ok(ServerVersions::new(
            answer
                .api_keys
                .iter()
                .map(|api| (api.api_key, VersionRange { min: api.min_version, max: api.max_version })),
        ))
    }

    /// Where it leads, `host:port`.
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// Whether it broke; then a new one is needed.
    pub fn is_broken(&self) -> bool {
        self.inner.shared.state().broken.is_some()
    }

    /// The versions that the server has of an api, whether or not they are known here.
    pub fn versions(&self, key: ApiKey) -> Option<VersionRange> {
        self.inner.versions.range(key)
    }

    /// Everything that the server has, lowest key first.
    pub fn all_versions(&self) -> Vec<(ApiKey, VersionRange)> {
        self.inner.versions.all()
    }

    /// The version in which `R` is best sent to this server.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when there is none.
    pub fn version_of<R: Call>(&self) -> Result<i16> {
        self.inner.versions.choose(R::api_key(), i16::MAX)
    }

    /// Sends a request in the best version and waits for the answer, at most `time`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without a common version, [`Error::Unavailable`] when the connection breaks or the time is
    /// over: answers come in order, so a connection with one late answer is of no use and is closed.
    pub async fn call<R: Call>(&self, request: &R, time: Duration) -> Result<R::Response> {
        self.call_as(self.version_of::<R>()?, request, time).await
    }

    /// The same in a version of the caller's choice.
    ///
    /// # Errors
    /// Those of [`Connection::call`].
    pub async fn call_as<R: Call>(&self, version: i16, request: &R, time: Duration) -> Result<R::Response> {
        let mut reader = self.exchange(version, request, time).await?;
        Ok(R::Response::decode(&mut reader, version)?)
    }

    /// Queues a request that is never answered (Produce with acks 0).
    ///
    /// # Errors
    /// When the connection is broken or the request cannot be written.
    pub fn begin_unanswered<R: Call>(&self, version: i16, request: &R) -> Result<Written> {
        let (pieces, _) = self.frame(version, request)?;
        let (done, written) = oneshot::channel();
        self.queue(Outgoing { pieces, then: Then::Written(done) })?;
        Ok(Written { connection: self.clone(), written })
    }

    /// Queues a request now; its answer is waited for elsewhere. Requests are written in the order of these calls.
    ///
    /// # Errors
    /// When the connection is broken or the request cannot be written.
    pub fn begin<R: Call>(&self, version: i16, request: &R) -> Result<Answer<R>> {
        let (pieces, correlation_id) = self.frame(version, request)?;
        let (reply, answer) = oneshot::channel();
        let pending = Pending { correlation_id, api_key: R::api_key(), version, reply };
        self.queue(Outgoing { pieces, then: Then::Answer(pending) })?;
        Ok(Answer { connection: self.clone(), version, answer, request: PhantomData })
    }

    async fn exchange<R: Call>(&self, version: i16, request: &R, time: Duration) -> Result<Reader> {
        self.begin(version, request)?.bytes(time).await
    }

    fn queue(&self, outgoing: Outgoing) -> Result<()> {
        if let Some(error) = &self.inner.shared.state().broken {
            return Err(error.clone());
        }
        self.inner.outgoing.send(outgoing).map_err(|_| self.lost())
    }

    fn lost(&self) -> Error {
        let broken = self.inner.shared.state().broken.clone();
        broken.unwrap_or_else(|| Error::Unavailable(format!("Connection to {} was lost", self.address())))
    }

    fn close(&self, error: &Error) {
        self.inner.shared.fail(error);
        for task in &self.inner.tasks {
            task.abort();
        }
    }

    /// The request as a frame: size, header, body.
    fn frame<R: Call>(&self, version: i16, request: &R) -> Result<(Vec<Bytes>, i32)> {
        let correlation_id = self.inner.next_correlation_id.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        let mut out = Output::with_capacity(256);
        out.put_i32(0);
        let header = RequestHeader {
            api_key: R::api_key(),
            api_version: version,
            correlation_id,
            client_id: Some(self.inner.client_id.clone()),
        };
        header.encode(&mut out)?;
        request.encode(version, &mut out)?;
        let size = i32::try_from(out.len() - 4)
            .map_err(|_| Error::Invalid(format!("the request is too large: {} bytes", out.len())))?;
        out.patch_i32(0, size);
        let pieces: Vec<Piece> = out.into_pieces();
        let bytes = pieces.iter().map(Piece::to_bytes).collect::<std::io::Result<Vec<Bytes>>>();
        let bytes = bytes.map_err(|error| Error::Invalid(format!("the request cannot be read: {error}")))?;
        Ok((bytes, correlation_id))
    }
}

/// An answer that is on its way.
#[derive(Debug)]
pub struct Answer<R> {
    connection: Connection,
    version: i16,
    answer: oneshot::Receiver<Result<Reader>>,
    request: PhantomData<fn() -> R>,
}

impl<R: Call> Answer<R> {
    /// Waits for it, at most `time` from now.
    ///
    /// # Errors
    /// Those of [`Connection::call`].
    pub async fn wait(self, time: Duration) -> Result<R::Response> {
        let version = self.version;
        Ok(R::Response::decode(&mut self.bytes(time).await?, version)?)
    }

    async fn bytes(self, time: Duration) -> Result<Reader> {
        match timeout(time, self.answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(self.connection.lost()),
            Err(_) => {
                let error = Error::Unavailable(format!(
                    "{} did not answer {} within {} ms",
                    self.connection.address(),
                    R::api_key(),
                    time.as_millis()
                ));
                self.connection.close(&error);
                Err(error)
            }
        }
    }
}

/// A request without answer that is on its way.
#[derive(Debug)]
pub struct Written {
    connection: Connection,
    written: oneshot::Receiver<Result<()>>,
}

impl Written {
    /// Ready when the socket has taken it.
    ///
    /// # Errors
    /// When the connection broke before.
    pub async fn wait(self) -> Result<()> {
        self.written.await.unwrap_or_else(|_| Err(self.connection.lost()))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Gives the frame to whom it belongs.
fn deliver(shared: &Shared, frame: Bytes) -> Result<()> {
    let mut reader = Reader::new(frame);
    let Some(pending) = shared.state().pending.pop_front() else {
        return Err(Error::Corrupt("the server sent an answer that nobody asked for".to_owned()));
    };
    let id = decode_response_header(pending.api_key, pending.version, &mut reader)?;
    if id != pending.correlation_id {
        let error =
            Error::Corrupt(format!("the server answered {id} where {} was asked", pending.correlation_id));
        let _ = pending.reply.send(Err(error.clone()));
        return Err(error);
    }
    let _ = pending.reply.send(Ok(reader));
    Ok(())
}
