//! PATCH (RFC 7644 section 3.5.2): atomic, sequential, in every dialect of the known IdPs.
//!
//! <https://www.rfc-editor.org/rfc/rfc7644#section-3.5.2>
//!
//! An operation that cannot be understood fails (I15). Unknown members beside known ones in a
//! value are dropped, as in bodies; a path, or a value of which nothing is known, is refused.

mod edit;
mod members;
mod multi;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use chancery_json::{Object, Value};

use crate::error::Error;
use crate::group::{GroupChanges, GroupDocument};
use crate::limits::OPERATIONS_MAX;
use crate::normalise::{self, take_member};
use crate::schema::{Catalogue, ResourceKind, ResourceType, urn};
use crate::user::{Changed, UserDocument};
use edit::Editor;

const OPERATIONS: &str = "Operations";

/// A parsed PATCH body, not yet applied to anything.
#[derive(Clone, Debug)]
pub struct PatchRequest {
    operations: Vec<Operation>,
}

#[derive(Clone, Debug)]
struct Operation {
    verb: Verb,
    path: Option<String>,
    value: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Add,
    Replace,
    Remove,
}

impl PatchRequest {
    /// Parses the message. Paths and values are understood when it is applied.
    ///
    /// # Errors
    ///
    /// [`Error::Json`], [`Error::Syntax`], [`Error::TooMuch`].
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let mut object = normalise::body(body)?;
        normalise::check_message(take_member(&mut object, "schemas")?.as_ref(), urn::PATCH_OP)?;
        let list = match take_member(&mut object, OPERATIONS)? {
            Some(Value::Array(items)) if !items.is_empty() => items,
            Some(single @ Value::Object(_)) => alloc::vec![single],
            _ => return Err(Error::syntax("send a list of operations").within(OPERATIONS)),
        };
        if list.len() > OPERATIONS_MAX {
            let (what, limit) = ("operations in one PATCH", OPERATIONS_MAX);
            return Err(Error::TooMuch {
                pointer: String::new(),
                what,
                limit,
            }
            .within(OPERATIONS));
        }
        let parsed = list.into_iter().enumerate().map(|(index, item)| {
            Operation::parse(item).map_err(|error| located(error, index, None))
        });
        Ok(Self {
            operations: parsed.collect::<Result<_, _>>()?,
        })
    }

    /// Applies the operations to a user. The document given stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Path`], [`Error::NoTarget`], [`Error::Mutability`], [`Error::Value`], and those of
    /// [`UserDocument::parse_create`]: the result is validated like a new document.
    pub fn apply_user(
        &self,
        current: &UserDocument,
        catalogue: Catalogue,
    ) -> Result<(UserDocument, Changed), Error> {
        let user = catalogue.of(ResourceKind::User);
        let mut editor = Editor::new(user, current.object().clone());
        self.run(&mut editor)?;
        let (object, _) = editor.into_parts();
        let build = |object| {
            UserDocument::build(object, current.keys().active, catalogue)?.after(current, catalogue)
        };
        let document = build(object).map_err(|error| {
            self.blamed(error, (user, current.object()), &|object| {
                build(object).is_ok()
            })
        })?;
        let changed = if document == *current {
            Changed::No
        } else {
            Changed::Yes
        };
        Ok((document, changed))
    }

    /// Applies the operations to a group: its new document, and what happens to its members.
    ///
    /// # Errors
    ///
    /// As [`PatchRequest::apply_user`].
    pub fn group_changes(
        &self,
        current: &GroupDocument,
        catalogue: Catalogue,
    ) -> Result<GroupChanges, Error> {
        let group = catalogue.of(ResourceKind::Group);
        let mut editor = Editor::new(group, current.object().clone());
        self.run(&mut editor)?;
        let (object, members) = editor.into_parts();
        let build = |object| GroupDocument::build(object, catalogue)?.after(current, catalogue);
        let document = build(object).map_err(|error| {
            self.blamed(error, (group, current.object()), &|object| {
                build(object).is_ok()
            })
        })?;
        let document = if document == *current {
            None
        } else {
            Some(document)
        };
        Ok(GroupChanges { document, members })
    }

    /// The error of a document that all operations together make none, at the operation that spoils it: a
    /// pointer into the document would point to nothing that was sent.
    fn blamed(
        &self,
        error: Error,
        (of, before): (ResourceType, &Object),
        is_sound: &dyn Fn(Object) -> bool,
    ) -> Error {
        let sound = |count: usize| {
            let mut editor = Editor::new(of, before.clone());
            let run = self.run_first(count, &mut editor);
            run.is_ok() && is_sound(editor.into_parts().0)
        };
        // Of the prefixes of the list the sound ones come first.
        let (mut low, mut high) = (0, self.operations.len());
        while low < high {
            let middle = low.midpoint(high);
            if sound(middle) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        located(
            error.without_place(),
            low.saturating_sub(1),
            Some(Part::Value),
        )
    }

    fn run(&self, editor: &mut Editor) -> Result<(), Error> {
        self.run_first(self.operations.len(), editor)
    }

    fn run_first(&self, count: usize, editor: &mut Editor) -> Result<(), Error> {
        for (index, operation) in self.operations.iter().enumerate().take(count) {
            let Operation { verb, path, value } = operation;
            match path {
                Some(path) => editor.at_path(*verb, path, value.clone()),
                None => editor.without_path(*verb, value.clone()),
            }
            .map_err(|(error, member)| located(error, index, member))?;
        }
        Ok(())
    }
}

/// The member of an operation that is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Path,
    Value,
}

/// An error and the member of the operation that it is about.
type Fault = (Error, Option<Part>);

fn in_value(error: Error) -> Fault {
    (error, Some(Part::Value))
}

fn located(error: Error, index: usize, part: Option<Part>) -> Error {
    let error = match part {
        Some(Part::Path) => error.within("path"),
        Some(Part::Value) => error.within("value"),
        None => error,
    };
    error.within(&index.to_string()).within(OPERATIONS)
}

impl Operation {
    fn parse(item: Value) -> Result<Self, Error> {
        let Value::Object(mut object) = item else {
            return Err(Error::syntax("an operation is an object"));
        };
        let verb = match take_member(&mut object, "op")?
            .as_ref()
            .and_then(Value::as_str)
        {
            Some(op) if op.eq_ignore_ascii_case("add") => Verb::Add,
            Some(op) if op.eq_ignore_ascii_case("replace") => Verb::Replace,
            Some(op) if op.eq_ignore_ascii_case("remove") => Verb::Remove,
            _ => return Err(Error::syntax("use add, replace or remove").within("op")),
        };
        let path = match take_member(&mut object, "path")? {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) if path.trim().is_empty() => None,
            Some(Value::String(path)) => Some(path),
            Some(_) => return Err(Error::syntax("a path is a string").within("path")),
        };
        Ok(Self {
            verb,
            path,
            value: take_member(&mut object, "value")?,
        })
    }
}

/// An object, or an array of one: what a value without path must be.
fn single_object(value: Value) -> Option<Object> {
    match value {
        Value::Object(object) => Some(object),
        Value::Array(items) => {
            let mut items = items.into_iter();
            match (items.next(), items.next()) {
                (Some(Value::Object(object)), None) => Some(object),
                _ => None,
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

#[cfg(test)]
mod tests;
