//! Which offset answers which request: ends, acks, fetch sessions.
