//! ApiVersions: which requests this listener serves, and which features.
//!
//! Invariant: every client, however new, can read the answer: the response header is always version 0, and a version that
//! is not known is answered as version 0.

use base::error_code::ErrorCode;
use net::session::Close;
use protocol::api::{Api, ApiKey};
use protocol::messages::api_versions_request::ApiVersionsRequest;
use protocol::messages::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};

use crate::broker::Broker;
use crate::dispatch::{self, Call};
use crate::replies::Reply;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let version = call.context.header.api_version;
    let known = ApiKey::API_VERSIONS.api().is_some_and(|api| api.serves(version));
    if !known {
        let response = ApiVersionsResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            api_keys: ApiKey::API_VERSIONS.api().map(row).into_iter().collect(),
            ..ApiVersionsResponse::default()
        };
        let output = dispatch::frame_as(&call.context, 0, &response)?;
        call.replies.answer(call.ticket, Reply::Send(output));
        return Ok(());
    }
    let request: ApiVersionsRequest = call.decode()?;
    let nameless = version >= 3
        && !(is_valid(&request.client_software_name) && is_valid(&request.client_software_version));
    if nameless {
        let response =
            ApiVersionsResponse { error_code: ErrorCode::INVALID_REQUEST, ..ApiVersionsResponse::default() };
        return call.answer(&response);
    }
    call.answer(&response(call.broker, version))
}

fn response(broker: &Broker, version: i16) -> ApiVersionsResponse {
    let image = broker.image();
    let supported = metadata::features::SUPPORTED.iter();
    // Clients before version 4 stumble over a range that starts at 0 (KAFKA-17492).
    let supported = supported.filter(|feature| version >= 4 || feature.min > 0);
    let finalized = image.finalized_features();
    ApiVersionsResponse {
        api_keys: dispatch::built().map(row).collect(),
        supported_features: supported
            .map(|feature| SupportedFeatureKey {
                name: feature.name.to_owned(),
                min_version: feature.min,
                max_version: feature.max,
            })
            .collect(),
        finalized_features_epoch: image.offset().0,
        finalized_features: finalized
            .into_iter()
            .map(|(name, level)| FinalizedFeatureKey {
                name: name.to_string(),
                max_version_level: level,
                min_version_level: level,
            })
            .collect(),
        ..ApiVersionsResponse::default()
    }
}

fn row(api: &Api) -> ApiVersion {
    ApiVersion { api_key: api.key.0, min_version: api.advertised_min(), max_version: api.max }
}

/// Letters, digits, and between them also `-` and `.` (KIP-511).
fn is_valid(text: &str) -> bool {
    let outer = |byte: &u8| byte.is_ascii_alphanumeric();
    let inner = |byte: &u8| outer(byte) || matches!(byte, b'-' | b'.');
    match text.as_bytes() {
        [] => false,
        [only] => outer(only),
        [first, between @ .., last] => outer(first) && between.iter().all(inner) && outer(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_software_names() {
        let check = |text: &str, expect: bool| assert_eq!(is_valid(text), expect, "{text:?}");
        check("apache-kafka-java", true);
        check("4.3.0", true);
        check("x", true);
        check("", false);
        check("-x", false);
        check("x.", false);
        check("a b", false);
        check("ä", false);
    }
}
