//! The names that generated modules use.

pub(crate) use base::error_code::ErrorCode;
pub(crate) use base::uuid::Uuid;
pub(crate) use bytes::Bytes;
pub(crate) use wire::output::{EncodeError, Output};
pub(crate) use wire::piece::Piece;
pub(crate) use wire::reader::{DecodeError, Reader};

pub(crate) use crate::codec;
pub(crate) use crate::message::{Message, Struct};
pub(crate) use crate::schema::{Field, Kind, MessageKind, Schema};
pub(crate) use crate::unknown_tags::UnknownTags;
