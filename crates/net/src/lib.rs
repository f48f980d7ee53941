//! Connections: framing, permits, ordered replies, sendfile.
