//! How a broker comes into its cluster and stays in it: it registers, then tells the controller again and again that it
//! lives (KIP-631).
//!
//! ```text
//!  Starting ─published─► Registering ─accepted─► Registered: heartbeat, fenced at first, then serving
//!                          └─no answer─► tries again
//! ```
//! A decider: whoever drives the controller asks for the next request and brings the answer. Invariant: one request is
//! under way at most.

use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::BrokerEpoch;
use base::time::{MonoTime, Now};
use base::uuid::Uuid;
use metadata::controller::{ControllerReply, ControllerVerb};
use metadata::features;
use metadata::image::Image;
use protocol::messages::broker_heartbeat_request::BrokerHeartbeatRequest;
use protocol::messages::broker_heartbeat_response::BrokerHeartbeatResponse;
use protocol::messages::broker_registration_request::BrokerRegistrationRequest;
use protocol::messages::broker_registration_response::BrokerRegistrationResponse;

use crate::broker::Broker;
use crate::controller::Answer;
use crate::log_dirs::LogDirState;

/// The pause before a registration that was not answered is sent again.
const RETRY_MS: i64 = 100;

/// The pause of a broker that is fenced: it is let in once it has seen its own registration.
const FENCED_MS: i64 = 10;

/// A broker on its way into the cluster, and in it.
pub struct Lifecycle {
    broker: Arc<Broker>,
    registration: BrokerRegistrationRequest,
    state: State,
    is_asking: bool,
    told: Told,
}

enum State {
    /// What the cluster has finalized is not known.
    Starting,
    /// To register, not before this time.
    Registering(MonoTime),
    Registered {
        epoch: BrokerEpoch,
        next_heartbeat: MonoTime,
        is_serving: bool,
    },
}

/// What the controller was told of the log directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    offline: Vec<Uuid>,
    cordoned: Vec<Uuid>,
}

impl Lifecycle {
    /// One that is to register so, but for its features: those follow the cluster's.
    pub fn new(broker: Arc<Broker>, registration: BrokerRegistrationRequest) -> Self {
        Self { broker, registration, state: State::Starting, is_asking: false, told: Told::default() }
    }

    /// Metadata were published: with the first of them it is known what the cluster has finalized.
    pub fn published(&mut self, image: &Image) {
        if !matches!(self.state, State::Starting) {
            return;
        }
        let unbuilt = features::unbuilt(image);
        for feature in &unbuilt {
            let (name, level) = (feature.name, feature.max);
            tracing::warn!(
                "the cluster has {name} at level {level}, which is not built: its data stays, its requests are refused"
            );
        }
        self.registration.features = features::registered(&unbuilt);
        self.state = State::Registering(MonoTime(0));
    }

    /// What is to be asked of the controller now, if anything.
    pub fn next_request(&mut self, now: Now) -> Option<ControllerVerb> {
        if self.is_asking {
            return None;
        }
        let verb = match &self.state {
            State::Registering(at) if *at <= now.mono => {
                ControllerVerb::RegisterBroker(self.registration.clone())
            }
            State::Registered { epoch, next_heartbeat, .. }
                if *next_heartbeat <= now.mono || self.to_tell() != self.told =>
            {
                let epoch = *epoch;
                ControllerVerb::Heartbeat(self.heartbeat(epoch))
            }
            _ => return None,
        };
        self.is_asking = true;
        Some(verb)
    }

    /// The controller answered what [`Self::next_request`] asked.
    ///
    /// # Errors
    /// One sentence: the controller does not take this broker in, so that it cannot go on.
    pub fn on_answer(&mut self, answer: Answer, now: Now) -> Result<(), String> {
        self.is_asking = false;
        match answer {
            Ok(ControllerReply::RegisterBroker(response)) => self.on_registration(&response, now)?,
            Ok(ControllerReply::Heartbeat(response)) => self.on_heartbeat(&response, now),
            other => {
                tracing::warn!(answer = ?other, "the controller did not answer this broker");
                let heartbeat_ms = self.heartbeat_ms();
                match &mut self.state {
                    State::Starting => {}
                    State::Registering(at) => *at = now.mono.plus_ms(RETRY_MS),
                    State::Registered { next_heartbeat, .. } => {
                        *next_heartbeat = now.mono.plus_ms(heartbeat_ms)
                    }
                }
            }
        }
        Ok(())
    }

    /// When there is something to ask by itself; `None` while an answer is awaited, or metadata.
    pub fn next_timeout(&self) -> Option<MonoTime> {
        match self.state {
            _ if self.is_asking => None,
            State::Starting => None,
            State::Registering(at) => Some(at),
            State::Registered { next_heartbeat, .. } => Some(next_heartbeat),
        }
    }

    /// The broker's epoch, once it is registered and was let in.
    pub fn serving(&self) -> Option<BrokerEpoch> {
        match self.state {
            State::Registered { epoch, is_serving: true, .. } => Some(epoch),
            _ => None,
        }
    }

    fn on_registration(&mut self, response: &BrokerRegistrationResponse, now: Now) -> Result<(), String> {
        if response.error_code != ErrorCode::NONE {
            return Err(format!("the controller refused to register this broker: {}", response.error_code));
        }
        let epoch = BrokerEpoch(response.broker_epoch);
        self.broker.producer_ids().set_epoch(epoch);
        self.state = State::Registered { epoch, next_heartbeat: now.mono, is_serving: false };
        Ok(())
    }

    fn on_heartbeat(&mut self, response: &BrokerHeartbeatResponse, now: Now) {
        let wait_ms = if response.is_fenced { FENCED_MS } else { self.heartbeat_ms() };
        if let State::Registered { next_heartbeat, is_serving, .. } = &mut self.state {
            *next_heartbeat = now.mono.plus_ms(wait_ms);
            *is_serving |= !response.is_fenced;
        }
    }

    fn heartbeat_ms(&self) -> i64 {
        i64::from(self.broker.config().broker_heartbeat_interval_ms)
    }

    fn heartbeat(&mut self, epoch: BrokerEpoch) -> BrokerHeartbeatRequest {
        let tell = self.to_tell();
        let before = std::mem::replace(&mut self.told, tell.clone());
        // Nothing is said of cordoned directories where there never was one: older controllers do not know them.
        let says_cordoned = !tell.cordoned.is_empty() || !before.cordoned.is_empty() || self.was_cordoned();
        BrokerHeartbeatRequest {
            offline_log_dirs: tell.offline,
            cordoned_log_dirs: says_cordoned.then_some(tell.cordoned),
            broker_id: self.broker.node().0,
            broker_epoch: epoch.0,
            current_metadata_offset: self.broker.image().offset().0,
            want_fence: false,
            want_shut_down: false,
        }
    }

    fn to_tell(&self) -> Told {
        let ids = |wanted: &dyn Fn(&LogDirState) -> bool| {
            let dirs = self.broker.log_dirs();
            dirs.iter().filter(|dir| wanted(dir)).filter_map(|dir| Some(dir.id()?.0)).collect()
        };
        Told {
            offline: ids(&|dir| !dir.is_online()),
            cordoned: ids(&|dir| dir.is_online() && self.broker.is_cordoned(dir)),
        }
    }

    fn was_cordoned(&self) -> bool {
        let image = self.broker.image();
        let cordoned =
            image.broker(self.broker.node()).and_then(|broker| broker.cordoned_directories.as_ref());
        cordoned.is_some_and(|cordoned| !cordoned.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::task::Waker;

    use base::ids::DirectoryId;
    use base::time::WallTime;

    use super::*;
    use crate::testing::broker;

    fn at(ms: i64) -> Now {
        Now { mono: MonoTime(0).plus_ms(ms), wall: WallTime(0) }
    }

    /// What is asked at `ms`, in a word.
    fn asked(lifecycle: &mut Lifecycle, ms: i64) -> Option<&'static str> {
        lifecycle.next_request(at(ms)).map(|verb| match verb {
            ControllerVerb::RegisterBroker(_) => "register",
            ControllerVerb::Heartbeat(_) => "heartbeat",
            _ => "something else",
        })
    }

    fn accepted() -> Answer {
        let response = BrokerRegistrationResponse { broker_epoch: 5, ..Default::default() };
        Ok(ControllerReply::RegisterBroker(response))
    }

    fn beat(is_fenced: bool) -> Answer {
        Ok(ControllerReply::Heartbeat(BrokerHeartbeatResponse { is_fenced, ..Default::default() }))
    }

    #[test]
    fn a_broker_registers_until_it_is_answered_and_beats_until_it_is_let_in() {
        let id = Some(DirectoryId(Uuid::from_u128(9)));
        let dir = Arc::new(LogDirState::new(PathBuf::from("/data"), id, true, Waker::noop().clone()));
        let mut lifecycle =
            Lifecycle::new(broker(std::slice::from_ref(&dir)), BrokerRegistrationRequest::default());
        assert_eq!(asked(&mut lifecycle, 0), None, "the cluster's features are not known");
        lifecycle.published(&Image::empty("cluster"));
        assert_eq!(asked(&mut lifecycle, 0), Some("register"));
        assert_eq!((asked(&mut lifecycle, 0), lifecycle.next_timeout()), (None, None), "it was asked");
        lifecycle.on_answer(Err(ErrorCode::NOT_CONTROLLER), at(1)).expect("somebody else may answer");
        assert_eq!((asked(&mut lifecycle, 100), asked(&mut lifecycle, 101)), (None, Some("register")));
        lifecycle.on_answer(accepted(), at(102)).expect("accepted");
        assert_eq!((lifecycle.serving(), asked(&mut lifecycle, 102)), (None, Some("heartbeat")));
        lifecycle.on_answer(beat(true), at(103)).expect("answered");
        assert_eq!((asked(&mut lifecycle, 112), asked(&mut lifecycle, 113)), (None, Some("heartbeat")));
        lifecycle.on_answer(beat(false), at(114)).expect("answered");
        assert_eq!(lifecycle.serving(), Some(BrokerEpoch(5)));
        assert_eq!(lifecycle.next_timeout(), Some(at(2114).mono));
        dir.fail("a test");
        assert_eq!(asked(&mut lifecycle, 200), Some("heartbeat"), "the controller is to know it at once");
        lifecycle.on_answer(Err(ErrorCode::NOT_CONTROLLER), at(201)).expect("somebody else may answer");
        assert_eq!((asked(&mut lifecycle, 2200), asked(&mut lifecycle, 2201)), (None, Some("heartbeat")));
    }

    #[test]
    fn a_broker_that_is_refused_cannot_go_on() {
        let dir = Arc::new(LogDirState::new(PathBuf::from("/data"), None, true, Waker::noop().clone()));
        let mut lifecycle =
            Lifecycle::new(broker(std::slice::from_ref(&dir)), BrokerRegistrationRequest::default());
        lifecycle.published(&Image::empty("cluster"));
        assert_eq!(asked(&mut lifecycle, 0), Some("register"));
        let error_code = ErrorCode::DUPLICATE_BROKER_REGISTRATION;
        let refused = BrokerRegistrationResponse { error_code, ..Default::default() };
        let sentence = lifecycle.on_answer(Ok(ControllerReply::RegisterBroker(refused)), at(1));
        assert!(sentence.is_err_and(|sentence| sentence.contains("DUPLICATE_BROKER_REGISTRATION")));
    }
}
