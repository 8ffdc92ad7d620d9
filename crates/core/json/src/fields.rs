//! A reader for documents in which every member is known: unknown, missing and duplicate ones are
//! refused with their place.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind, Expected};
use crate::parse::Limits;
use crate::value::{Object, Value};
use crate::write::push_pointer;

/// The members of an object that have not been read yet.
///
/// Take every member, then call [`Fields::finish`], which refuses what is left.
#[derive(Debug)]
#[must_use = "call finish(), which refuses unknown members"]
pub struct Fields {
    object: Object,
    pointer: String,
}

/// A value and its place in the document.
#[derive(Debug)]
pub struct Element {
    value: Value,
    pointer: String,
}

impl Fields {
    /// Parses a document whose top level is an object.
    ///
    /// # Errors
    ///
    /// As [`Value::parse`], and `WrongType` if it is no object.
    pub fn parse(text: &[u8], limits: &Limits) -> Result<Self, Error> {
        Element::root(Value::parse(text, limits)?).into_fields()
    }

    /// Takes a required member.
    ///
    /// # Errors
    ///
    /// `MissingMember`.
    pub fn take(&mut self, name: &str) -> Result<Element, Error> {
        let pointer = self.pointer_of(name);
        match self.object.remove(name) {
            Some(value) => Ok(Element { value, pointer }),
            None => Err(Error::new(ErrorKind::MissingMember, pointer)),
        }
    }

    /// Takes a member that may be absent. `null` is a value, not absence.
    pub fn take_optional(&mut self, name: &str) -> Option<Element> {
        let value = self.object.remove(name)?;
        Some(Element {
            value,
            pointer: self.pointer_of(name),
        })
    }

    /// Whether a member is there that was not taken.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.object.get(name).is_some()
    }

    /// Takes a string.
    ///
    /// # Errors
    ///
    /// `MissingMember`, `WrongType`.
    pub fn take_str(&mut self, name: &str) -> Result<String, Error> {
        self.take(name)?.into_str()
    }

    /// Takes an integer from 0 to 2^64-1; `1.0` is not one.
    ///
    /// # Errors
    ///
    /// `MissingMember`, `WrongType`.
    pub fn take_u64(&mut self, name: &str) -> Result<u64, Error> {
        self.take(name)?.into_u64()
    }

    /// Takes a boolean.
    ///
    /// # Errors
    ///
    /// `MissingMember`, `WrongType`.
    pub fn take_bool(&mut self, name: &str) -> Result<bool, Error> {
        self.take(name)?.into_bool()
    }

    /// Takes an array.
    ///
    /// # Errors
    ///
    /// `MissingMember`, `WrongType`.
    pub fn take_array(&mut self, name: &str) -> Result<Vec<Element>, Error> {
        self.take(name)?.into_array()
    }

    /// Takes an array of strings.
    ///
    /// # Errors
    ///
    /// `MissingMember`, `WrongType`.
    pub fn take_strings(&mut self, name: &str) -> Result<Vec<String>, Error> {
        self.take_array(name)?
            .into_iter()
            .map(Element::into_str)
            .collect()
    }

    /// Takes an object, to be read and finished in turn.
    ///
    /// # Errors
    ///
    /// `MissingMember`, `WrongType`.
    pub fn take_object(&mut self, name: &str) -> Result<Self, Error> {
        self.take(name)?.into_fields()
    }

    /// Takes every remaining member, for objects whose names are data.
    #[must_use]
    pub fn take_rest(self) -> Vec<(String, Element)> {
        let pointer = self.pointer;
        self.object
            .into_iter()
            .map(|(name, value)| {
                let pointer = joined(&pointer, &name);
                (name, Element { value, pointer })
            })
            .collect()
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// `UnknownMember` if a member was not taken.
    pub fn finish(self) -> Result<(), Error> {
        match self.object.iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Error::new(ErrorKind::UnknownMember, self.pointer_of(name))),
        }
    }

    fn pointer_of(&self, name: &str) -> String {
        joined(&self.pointer, name)
    }
}

impl Element {
    /// The top level of a document.
    #[must_use]
    pub const fn root(value: Value) -> Self {
        Self {
            value,
            pointer: String::new(),
        }
    }

    /// Where the value stands, as a JSON pointer.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// The value, whatever its type.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.value
    }

    /// The string.
    ///
    /// # Errors
    ///
    /// `WrongType`.
    pub fn into_str(self) -> Result<String, Error> {
        if let Value::String(text) = self.value {
            Ok(text)
        } else {
            self.wrong(Expected::String)
        }
    }

    /// The integer.
    ///
    /// # Errors
    ///
    /// `WrongType`.
    pub fn into_u64(self) -> Result<u64, Error> {
        match self.value.as_u64() {
            Some(value) => Ok(value),
            None => self.wrong(Expected::Unsigned),
        }
    }

    /// The boolean.
    ///
    /// # Errors
    ///
    /// `WrongType`.
    pub fn into_bool(self) -> Result<bool, Error> {
        match self.value.as_bool() {
            Some(value) => Ok(value),
            None => self.wrong(Expected::Bool),
        }
    }

    /// The elements.
    ///
    /// # Errors
    ///
    /// `WrongType`.
    pub fn into_array(self) -> Result<Vec<Self>, Error> {
        let Value::Array(items) = self.value else {
            return self.wrong(Expected::Array);
        };
        let place = |(index, value): (usize, Value)| Self {
            value,
            pointer: joined(&self.pointer, &index.to_string()),
        };
        Ok(items.into_iter().enumerate().map(place).collect())
    }

    /// The members.
    ///
    /// # Errors
    ///
    /// `WrongType`.
    pub fn into_fields(self) -> Result<Fields, Error> {
        let Value::Object(object) = self.value else {
            return self.wrong(Expected::Object);
        };
        Ok(Fields {
            object,
            pointer: self.pointer,
        })
    }

    fn wrong<T>(self, expected: Expected) -> Result<T, Error> {
        Err(Error::new(ErrorKind::WrongType { expected }, self.pointer))
    }
}

fn joined(pointer: &str, segment: &str) -> String {
    let mut joined = String::with_capacity(pointer.len().saturating_add(segment.len()));
    joined.push_str(pointer);
    push_pointer(&mut joined, segment);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec;

    fn fields(text: &str) -> Fields {
        Fields::parse(text.as_bytes(), &Limits::DOCUMENT).unwrap()
    }

    fn refusal<T: core::fmt::Debug>(result: Result<T, Error>) -> (ErrorKind, String) {
        let error = result.unwrap_err();
        (error.kind(), error.pointer().to_string())
    }

    #[test]
    fn reads_every_type() {
        let mut f = fields(
            r#"{"s":"x","n":18446744073709551615,"b":true,"a":["p","q"],"o":{"i":1},"m":{"k":2}}"#,
        );
        assert_eq!(f.take_str("s").unwrap(), "x");
        assert_eq!(f.take_u64("n").unwrap(), u64::MAX);
        assert!(f.take_bool("b").unwrap());
        assert_eq!(f.take_strings("a").unwrap(), vec!["p", "q"]);
        let mut o = f.take_object("o").unwrap();
        assert_eq!(o.take_u64("i").unwrap(), 1);
        o.finish().unwrap();
        let rest = f.take_object("m").unwrap().take_rest();
        assert_eq!(rest[0].0, "k");
        assert_eq!(rest[0].1.pointer(), "/m/k");
        assert!(f.take_optional("absent").is_none());
        f.finish().unwrap();
    }

    #[test]
    fn refuses_missing_unknown_and_mistyped_members_with_their_place() {
        assert_eq!(
            refusal(fields("{}").take_str("a/b")),
            (ErrorKind::MissingMember, "/a~1b".into())
        );
        assert_eq!(
            refusal(fields(r#"{"x":1}"#).finish()),
            (ErrorKind::UnknownMember, "/x".into())
        );
        let wrong = |expected| ErrorKind::WrongType { expected };
        assert_eq!(
            refusal(fields(r#"{"x":1}"#).take_str("x")),
            (wrong(Expected::String), "/x".into())
        );
        assert_eq!(
            refusal(fields(r#"{"x":1.0}"#).take_u64("x")),
            (wrong(Expected::Unsigned), "/x".into())
        );
        assert_eq!(
            refusal(fields(r#"{"x":-1}"#).take_u64("x")),
            (wrong(Expected::Unsigned), "/x".into())
        );
        assert_eq!(
            refusal(fields(r#"{"x":null}"#).take_bool("x")),
            (wrong(Expected::Bool), "/x".into())
        );
        assert_eq!(
            refusal(fields(r#"{"x":{}}"#).take_array("x")),
            (wrong(Expected::Array), "/x".into())
        );
        assert_eq!(
            refusal(fields(r#"{"x":[]}"#).take_object("x")),
            (wrong(Expected::Object), "/x".into())
        );
        let mut nested = fields(r#"{"x":[{"y":["a",1]}]}"#);
        let mut inner = nested
            .take_array("x")
            .unwrap()
            .remove(0)
            .into_fields()
            .unwrap();
        assert_eq!(
            refusal(inner.take_strings("y")),
            (wrong(Expected::String), "/x/0/y/1".into())
        );
        assert_eq!(
            refusal(Fields::parse(b"[]", &Limits::DOCUMENT).map(|_| ())),
            (wrong(Expected::Object), String::new())
        );
    }
}
