//! Byte strings and lists with a limit, for serde.
//!
//! Serde treats `Vec<u8>` as a sequence of numbers, which costs a call per byte; these functions write
//! the same postcard bytes (a length, then the bytes) in one copy, and refuse more than a limit.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::Serializer;

use crate::limits::{BATCH_RECORDS_MAX, BLOB_SIZE_MAX, RECORD_SIZE_MAX, STREAMS_MAX};

/// Elements to reserve before any was read; a list that claims more grows as its elements arrive.
const RESERVE_MAX: usize = 256;

struct Octets<const MAX: usize>;

impl<const MAX: usize> Visitor<'_> for Octets<MAX> {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX} bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        if bytes.len() > MAX {
            return Err(E::invalid_length(bytes.len(), &self));
        }
        Ok(bytes.to_vec())
    }
}

struct List<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
        let claimed = sequence.size_hint().unwrap_or(0);
        if claimed > MAX {
            return Err(A::Error::invalid_length(claimed, &self));
        }
        let mut list = Vec::with_capacity(claimed.min(RESERVE_MAX));
        while let Some(element) = sequence.next_element()? {
            if list.len() == MAX {
                return Err(A::Error::invalid_length(MAX, &self));
            }
            list.push(element);
        }
        Ok(list)
    }
}

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

pub(crate) fn record<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_bytes(Octets::<RECORD_SIZE_MAX>)
}

pub(crate) fn blob<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_bytes(Octets::<BLOB_SIZE_MAX>)
}

pub(crate) fn batch<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(List::<T, BATCH_RECORDS_MAX>(PhantomData))
}

pub(crate) fn streams<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(List::<T, STREAMS_MAX>(PhantomData))
}

/// A document of at most `MAX` bytes, as a byte string.
pub(crate) struct Document<const MAX: usize>(pub(crate) Vec<u8>);

impl<'de, const MAX: usize> Deserialize<'de> for Document<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(Octets::<MAX>).map(Self)
    }
}

pub(crate) mod optional {
    //! `Option<Vec<u8>>` as an optional byte string.

    use alloc::vec::Vec;

    use serde::de::{Deserialize, Deserializer};
    use serde::ser::{Serialize, Serializer};

    use super::Document;

    struct Borrowed<'a>(&'a [u8]);

    impl Serialize for Borrowed<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }

    pub(crate) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(Borrowed).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const MAX: usize>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Document<MAX>>::deserialize(deserializer)?.map(|document| document.0))
    }
}

struct Name<const MAX: usize>;

impl<const MAX: usize> Visitor<'_> for Name<MAX> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX} bytes of text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        if text.len() > MAX {
            return Err(E::invalid_length(text.len(), &self));
        }
        Ok(String::from(text))
    }
}

pub(crate) fn name<'de, D: Deserializer<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<String, D::Error> {
    deserializer.deserialize_str(Name::<MAX>)
}
