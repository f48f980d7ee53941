//! A broker without a node around it, for tests.

use std::sync::Arc;
use std::task::Waker;

use base::config::NodeConfig;
use base::ids::NodeId;
use metadata::image::Image;

use crate::broker::Broker;
use crate::controller::ControllerHandle;
use crate::log_dirs::LogDirState;

/// Broker 1 with these log directories, that was told of no metadata and wakes nobody.
pub(crate) fn broker(dirs: &[Arc<LogDirState>]) -> Arc<Broker> {
    let paths: Vec<_> = dirs.iter().map(|dir| dir.path().display().to_string()).collect();
    let set = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("log.dirs", &paths.join(",")),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
    ];
    let set = set.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = NodeConfig::parse(set.collect()).expect("it is one of Kafka's");
    let handle = Arc::new(ControllerHandle::new(Waker::noop().clone()));
    let image = Arc::new(Image::empty("cluster"));
    let broker =
        Broker::new(NodeId(1), Arc::new(config.broker), config.layers, image, handle, Arc::new(|| 7));
    broker.set_log_dirs(dirs.to_vec());
    Arc::new(broker)
}
