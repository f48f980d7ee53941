//! DescribeCluster: the brokers of the cluster, as admin clients see them (KIP-700, KIP-919, KIP-1073).

use base::error_code::ErrorCode;
use net::session::Close;
use protocol::messages::describe_cluster_request::DescribeClusterRequest;
use protocol::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};

use crate::apis::metadata::CLUSTER_OPERATIONS;
use crate::broker::Broker;
use crate::dispatch::Call;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: DescribeClusterRequest = call.decode()?;
    let response = match request.endpoint_type {
        BROKERS => brokers(call.broker, &call, &request),
        CONTROLLERS => refusal(
            ErrorCode::MISMATCHED_ENDPOINT_TYPE,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER",
        ),
        other => refusal(ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, &format!("Unsupported endpoint type {other}")),
    };
    call.answer(&response)
}

fn brokers(broker: &Broker, call: &Call<'_>, request: &DescribeClusterRequest) -> DescribeClusterResponse {
    let image = broker.image();
    let endpoints = broker.endpoints(&call.context.connection);
    let endpoints = endpoints.filter(|endpoint| request.include_fenced_brokers || !endpoint.is_fenced);
    let brokers = endpoints.map(|endpoint| DescribeClusterBroker {
        broker_id: endpoint.id.0,
        host: endpoint.host,
        port: endpoint.port,
        rack: endpoint.rack,
        is_fenced: endpoint.is_fenced,
    });
    let mut response = DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: image.cluster_id().to_owned(),
        controller_id: broker.any_broker().0,
        brokers: brokers.collect(),
        ..DescribeClusterResponse::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    response
}

fn refusal(error_code: ErrorCode, message: &str) -> DescribeClusterResponse {
    DescribeClusterResponse {
        error_code,
        error_message: Some(message.to_owned()),
        ..DescribeClusterResponse::default()
    }
}
