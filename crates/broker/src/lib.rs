//! Requests in, partitions and metadata asked, replies out.
