//! Access control entries, client quotas, SCRAM credentials and delegation tokens, kept as the log has them.

use std::sync::Arc;

use base::uuid::Uuid;
use protocol::records::access_control_entry_record::AccessControlEntryRecord;
use protocol::records::delegation_token_record::DelegationTokenRecord;
use protocol::records::user_scram_credential_record::UserScramCredentialRecord;

use super::Image;

/// Whom a quota is for: pairs of entity type (`user`, `client-id`, `ip`) and name, sorted; no name is the default entity.
pub type QuotaEntity = Vec<(Arc<str>, Option<Arc<str>>)>;

impl Image {
    /// All access control entries, sorted by id.
    pub fn acls(&self) -> impl Iterator<Item = &AccessControlEntryRecord> {
        self.acls.values().map(Arc::as_ref)
    }

    /// The access control entry of this id.
    pub fn acl(&self, id: Uuid) -> Option<&AccessControlEntryRecord> {
        self.acls.get(&id).map(Arc::as_ref)
    }

    /// All quotas of client entities: entity, quota's name, value.
    pub fn client_quotas(&self) -> impl Iterator<Item = (&QuotaEntity, &str, f64)> {
        let quotas = self.client_quotas.iter();
        quotas.flat_map(|(entity, values)| {
            values.iter().map(move |(key, value)| (entity, key.as_ref(), *value))
        })
    }

    /// All SCRAM credentials, sorted by user and mechanism.
    pub fn scram_credentials(&self) -> impl Iterator<Item = &UserScramCredentialRecord> {
        self.scram.values().map(Arc::as_ref)
    }

    /// All delegation tokens, sorted by id.
    pub fn delegation_tokens(&self) -> impl Iterator<Item = &DelegationTokenRecord> {
        self.delegation_tokens.values().map(Arc::as_ref)
    }
}
