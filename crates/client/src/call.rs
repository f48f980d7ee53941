//! Which response belongs to which request.

use protocol::Message;
use protocol::api::ApiKey;
use protocol::messages::*;

/// A request that a client can send.
pub trait Call: Message + Sync {
    /// What comes back.
    type Response: Message + Send;

    /// Which api it is.
    fn api_key() -> ApiKey {
        ApiKey(Self::SCHEMA.key.expect("requests have keys"))
    }
}

macro_rules! calls {
    ($($module:ident::$request:ident => $answer:ident::$response:ident,)*) => {
        $(impl Call for $module::$request {
            type Response = $answer::$response;
        })*
    };
}

calls! {
    produce_request::ProduceRequest => produce_response::ProduceResponse,
    fetch_request::FetchRequest => fetch_response::FetchResponse,
    list_offsets_request::ListOffsetsRequest => list_offsets_response::ListOffsetsResponse,
    metadata_request::MetadataRequest => metadata_response::MetadataResponse,
    find_coordinator_request::FindCoordinatorRequest => find_coordinator_response::FindCoordinatorResponse,
    api_versions_request::ApiVersionsRequest => api_versions_response::ApiVersionsResponse,
    create_topics_request::CreateTopicsRequest => create_topics_response::CreateTopicsResponse,
    delete_topics_request::DeleteTopicsRequest => delete_topics_response::DeleteTopicsResponse,
    delete_records_request::DeleteRecordsRequest => delete_records_response::DeleteRecordsResponse,
    init_producer_id_request::InitProducerIdRequest => init_producer_id_response::InitProducerIdResponse,
    describe_configs_request::DescribeConfigsRequest => describe_configs_response::DescribeConfigsResponse,
    incremental_alter_configs_request::IncrementalAlterConfigsRequest
        => incremental_alter_configs_response::IncrementalAlterConfigsResponse,
    create_partitions_request::CreatePartitionsRequest => create_partitions_response::CreatePartitionsResponse,
    alter_replica_log_dirs_request::AlterReplicaLogDirsRequest
        => alter_replica_log_dirs_response::AlterReplicaLogDirsResponse,
    describe_log_dirs_request::DescribeLogDirsRequest => describe_log_dirs_response::DescribeLogDirsResponse,
    describe_cluster_request::DescribeClusterRequest => describe_cluster_response::DescribeClusterResponse,
    describe_topic_partitions_request::DescribeTopicPartitionsRequest
        => describe_topic_partitions_response::DescribeTopicPartitionsResponse,
    list_partition_reassignments_request::ListPartitionReassignmentsRequest
        => list_partition_reassignments_response::ListPartitionReassignmentsResponse,
}
