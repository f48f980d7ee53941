//! Tagged fields that this version does not know, kept so that a record can be written again without loss.

use std::mem::size_of;
use std::ops::RangeInclusive;

use bytes::Bytes;
use wire::output::Output;
use wire::reader::{DecodeError, Reader};

use crate::codec;

/// The unknown tagged fields of one struct of a record, in ascending order of tags. Empty ones cost one pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnknownTags(Option<Box<Tags>>);

/// The fields themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tags(Vec<(u32, Bytes)>);

impl UnknownTags {
    /// The fields: tag and bytes.
    pub fn fields(&self) -> &[(u32, Bytes)] {
        self.0.as_ref().map_or(&[], |tags| &tags.0)
    }

    /// Adds a field, which must not be known by definition; a second one of the same tag takes the place of the first.
    pub fn set(&mut self, tag: u32, bytes: Bytes) {
        let fields = &mut self.0.get_or_insert_default().0;
        match fields.binary_search_by_key(&tag, |(tag, _)| *tag) {
            Ok(place) => fields[place].1 = bytes,
            Err(place) => fields.insert(place, (tag, bytes)),
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.fields().len() as u32
    }

    /// Keeps the field that ends at position `end` of `input`.
    pub(crate) fn keep(&mut self, input: &mut Reader, tag: u32, end: usize) -> Result<(), DecodeError> {
        // Twice the size of an element, because the list grows by doubling.
        codec::charge(input, "tagged fields", 1, 2 * size_of::<(u32, Bytes)>())?;
        let bytes = input.take(end - input.position())?;
        self.set(tag, bytes);
        Ok(())
    }

    /// Writes the fields whose tags lie in `tags`.
    pub(crate) fn put(&self, out: &mut Output, tags: RangeInclusive<u32>) {
        for (tag, bytes) in self.fields().iter().filter(|(tag, _)| tags.contains(tag)) {
            out.put_uvarint(*tag);
            out.put_uvarint(bytes.len() as u32);
            out.put_slice(bytes);
        }
    }
}
