//! The parser: `serde_json`'s tokenizer under our visitor.
//!
//! Recursion is bounded by [`Limits::depth_max`], which is itself held to [`DEPTH_CEILING`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use crate::error::{Error, ErrorKind};
use crate::value::{Object, Value};
use crate::write::push_pointer;

/// No text may ask for more nesting than this, whatever its limits say: each level costs stack.
pub const DEPTH_CEILING: usize = 100;

/// Up to this many members a duplicate is sought by comparing names; above it by sorting them.
const LINEAR_MEMBERS_MAX: usize = 24;

/// The longest part of one member name that a pointer repeats, in bytes.
const POINTER_SEGMENT_BYTES_MAX: usize = 128;

/// What a text may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "every limit must be chosen by the caller"
)]
pub struct Limits {
    /// The longest text, in bytes.
    pub bytes_max: usize,
    /// The deepest nesting of arrays and objects; at most [`DEPTH_CEILING`] counts.
    pub depth_max: usize,
    /// The largest number of values, scalars included.
    pub values_max: usize,
}

impl Limits {
    /// For signed documents, configurations and policies: 1 MiB, 16 levels, 65,536 values.
    pub const DOCUMENT: Self = Self {
        bytes_max: 1 << 20,
        depth_max: 16,
        values_max: 1 << 16,
    };
}

impl Value {
    /// Parses one JSON text.
    ///
    /// # Errors
    ///
    /// Everything that [`ErrorKind`] names up to `DuplicateMember`.
    pub fn parse(text: &[u8], limits: &Limits) -> Result<Self, Error> {
        let whole = |kind| Error::new(kind, String::new());
        if text.len() > limits.bytes_max {
            return Err(whole(ErrorKind::TooLarge {
                bytes_max: limits.bytes_max,
            }));
        }
        let Ok(text) = core::str::from_utf8(text) else {
            return Err(whole(ErrorKind::InvalidUtf8));
        };
        let context = Context {
            limits: *limits,
            values: Cell::new(0),
            fault: Cell::new(None),
            segments: RefCell::new(Vec::new()),
        };
        let mut tokens = serde_json::Deserializer::from_str(text);
        let seed = Seed {
            context: &context,
            depth: 0,
        };
        let value = seed
            .deserialize(&mut tokens)
            .map_err(|error| context.explain(&error))?;
        tokens
            .end()
            .map_err(|error| whole(ErrorKind::TrailingData).at(error.line(), error.column()))?;
        Ok(value)
    }
}

struct Context {
    limits: Limits,
    values: Cell<usize>,
    fault: Cell<Option<ErrorKind>>,
    /// The place of the fault, innermost segment first; filled while the error travels outwards.
    segments: RefCell<Vec<String>>,
}

impl Context {
    fn fail<E: serde::de::Error>(&self, kind: ErrorKind) -> E {
        self.fault.set(Some(kind));
        E::custom("refused")
    }

    fn within<E>(&self, error: E, segment: &str) -> E {
        let mut end = segment.len().min(POINTER_SEGMENT_BYTES_MAX);
        while !segment.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        self.segments
            .borrow_mut()
            .push(segment.get(..end).unwrap_or_default().into());
        error
    }

    fn explain(&self, error: &serde_json::Error) -> Error {
        let mut pointer = String::new();
        for segment in self.segments.borrow().iter().rev() {
            push_pointer(&mut pointer, segment);
        }
        if let Some(kind) = self.fault.get() {
            return Error::new(kind, pointer);
        }
        let kind = match error.classify() {
            Category::Eof => ErrorKind::Truncated,
            Category::Io | Category::Syntax | Category::Data => ErrorKind::Syntax,
        };
        Error::new(kind, pointer).at(error.line(), error.column())
    }
}

#[derive(Clone, Copy)]
struct Seed<'c> {
    context: &'c Context,
    depth: usize,
}

impl Seed<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.saturating_add(1);
        let depth_max = self.context.limits.depth_max.min(DEPTH_CEILING);
        if depth > depth_max {
            return Err(self.context.fail(ErrorKind::TooDeep { depth_max }));
        }
        Ok(Self {
            context: self.context,
            depth,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, tokens: D) -> Result<Value, D::Error> {
        let values = self.context.values.get().saturating_add(1);
        let values_max = self.context.limits.values_max;
        if values > values_max {
            return Err(self.context.fail(ErrorKind::TooManyValues { values_max }));
        }
        self.context.values.set(values);
        tokens.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        loop {
            match access.next_element_seed(inner) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(Value::Array(items)),
                Err(error) => {
                    return Err(self.context.within(error, &items.len().to_string()));
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members: Vec<(String, Value)> = Vec::with_capacity(8);
        while let Some(name) = access.next_key::<String>()? {
            if members.len() < LINEAR_MEMBERS_MAX && members.iter().any(|(known, _)| *known == name)
            {
                let error = self.context.fail(ErrorKind::DuplicateMember);
                return Err(self.context.within(error, &name));
            }
            match access.next_value_seed(inner) {
                Ok(value) => members.push((name, value)),
                Err(error) => return Err(self.context.within(error, &name)),
            }
        }
        if let Some(name) = repeated_name(&members) {
            let error: A::Error = self.context.fail(ErrorKind::DuplicateMember);
            return Err(self.context.within(error, name));
        }
        Ok(Value::Object(Object::from_members(members)))
    }
}

/// The name that occurs twice among many members. Few members were compared as they came.
fn repeated_name(members: &[(String, Value)]) -> Option<&str> {
    if members.len() <= LINEAR_MEMBERS_MAX {
        return None;
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).find_map(|pair| match pair {
        [left, right] if left == right => Some(*left),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
