//! The tables and structs that are made from `defs/configs` at build time.

use super::definition::{Check, Default, Definition, Importance, Inherited, Kind, Mode, Table, Values};
use super::kinds::{CleanupPolicy, TimestampType, TopicCompression};
use super::value::Field;

include!(concat!(env!("OUT_DIR"), "/configs.rs"));
