//! Bulk requests (RFC 7644 section 3.7): operations, and the references between them.
//!
//! <https://www.rfc-editor.org/rfc/rfc7644#section-3.7>

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use chancery_json::{Object, Value};

use crate::error::Error;
use crate::etag::EntityTags;
use crate::limits::{BULK_ID_BYTES_MAX, BULK_OPERATIONS_MAX};
use crate::normalise::{self, take_member};
use crate::schema::{ResourceKind, urn};

const OPERATIONS: &str = "Operations";
/// What a reference to another operation of the request begins with.
const REFERENCE: &str = "bulkId:";

/// A parsed Bulk request.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a record that the service takes apart"
)]
pub struct BulkRequest {
    /// After how many errors the rest is left undone; everything is tried if absent.
    pub fail_on_errors: Option<u64>,
    /// The operations in the order of the request.
    pub operations: Vec<BulkOperation>,
}

/// One operation as it was sent.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a record that the service takes apart"
)]
pub struct BulkOperation {
    /// Its method as it was sent, to be named in the answer.
    pub method: String,
    /// The client's name for it.
    pub bulk_id: Option<String>,
    /// The existing resource that its path names, if it names one.
    pub named: Option<(ResourceKind, String)>,
    /// What is asked for; a fault of one operation is no other's.
    pub task: Result<BulkTask, Error>,
}

/// What one operation asks for.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a record that the service takes apart"
)]
pub struct BulkTask {
    /// What is done.
    pub method: BulkMethod,
    /// The resource type.
    pub kind: ResourceKind,
    /// The id in the path, or a reference to the operation that makes the resource; none for POST.
    pub id: Option<String>,
    /// The versions that may be changed.
    pub if_match: Option<EntityTags>,
    /// The body; null for DELETE.
    pub data: Value,
}

/// The methods that Bulk offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the RFC has these four")]
pub enum BulkMethod {
    /// Creates.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
}

impl BulkRequest {
    /// Parses the message.
    ///
    /// # Errors
    ///
    /// [`Error::Json`], [`Error::Syntax`], [`Error::Value`], [`Error::TooMuch`]: what makes the request as a
    /// whole none.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let mut object = normalise::body(body)?;
        let schemas = take_member(&mut object, "schemas")?;
        normalise::check_message(schemas.as_ref(), urn::BULK_REQUEST)?;
        let fail_on_errors = match take_member(&mut object, "failOnErrors")? {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_u64().filter(|count| *count > 0).ok_or_else(|| {
                Error::value("a number of errors from 1 on is wanted").within("failOnErrors")
            })?),
        };
        let Some(Value::Array(items)) = take_member(&mut object, OPERATIONS)? else {
            return Err(Error::syntax("send a list of operations").within(OPERATIONS));
        };
        if items.len() > BULK_OPERATIONS_MAX {
            return Err(Error::TooMuch {
                pointer: String::new(),
                what: "operations in one Bulk request",
                limit: BULK_OPERATIONS_MAX,
            }
            .within(OPERATIONS));
        }
        let mut names = BTreeSet::new();
        let mut operations = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let within = |error: Error| error.within(&index.to_string()).within(OPERATIONS);
            let operation = BulkOperation::parse(item).map_err(within)?;
            if let Some(name) = &operation.bulk_id
                && !names.insert(name.clone())
            {
                let twice = Error::syntax("give each operation another bulkId").within("bulkId");
                return Err(within(twice));
            }
            operations.push(operation);
        }
        Ok(Self {
            fail_on_errors,
            operations,
        })
    }
}

impl BulkOperation {
    fn parse(item: Value) -> Result<Self, Error> {
        let Value::Object(mut object) = item else {
            return Err(Error::syntax("an operation is an object"));
        };
        let method = text(&mut object, "method")?.unwrap_or_default();
        let bulk_id = text(&mut object, "bulkId")?.filter(|name| !name.is_empty());
        if bulk_id
            .as_ref()
            .is_some_and(|name| name.len() > BULK_ID_BYTES_MAX)
        {
            return Err(Error::value("the bulkId is too long").within("bulkId"));
        }
        let path = text(&mut object, "path");
        let target = path.as_ref().ok().and_then(|path| {
            let (kind, id) = target(path.as_deref()?)?;
            Some((kind, id.map(String::from)))
        });
        let named = target.clone().and_then(|(kind, id)| Some((kind, id?)));
        let task = path
            .and_then(|path| match path.as_deref() {
                // RFC 7644 section 3.7: "REQUIRED in a request".
                None | Some("") => {
                    let expected = "name /Users, /Groups or one of their resources";
                    Err(Error::syntax(expected).within("path"))
                }
                Some(_) => target.ok_or(Error::NotFound),
            })
            .and_then(|target| BulkTask::parse(&method, bulk_id.as_deref(), target, object));
        Ok(Self {
            method,
            bulk_id,
            named: named.filter(|(_, id)| !id.starts_with(REFERENCE)),
            task,
        })
    }
}

impl BulkTask {
    fn parse(
        method: &str,
        bulk_id: Option<&str>,
        (kind, id): (ResourceKind, Option<String>),
        mut object: Object,
    ) -> Result<Self, Error> {
        let method = BulkMethod::parse(method)
            .ok_or_else(|| Error::syntax("use POST, PUT, PATCH or DELETE").within("method"))?;
        match (method, &id, bulk_id) {
            (BulkMethod::Post, Some(_), _)
            | (BulkMethod::Put | BulkMethod::Patch | BulkMethod::Delete, None, _) => {
                return Err(Error::Method);
            }
            (BulkMethod::Post, None, None) => {
                // RFC 7644 section 3.7: "REQUIRED when 'method' is 'POST'".
                return Err(Error::syntax("POST needs a bulkId").within("bulkId"));
            }
            (_, _, _) => {}
        }
        let if_match = text(&mut object, "version")?
            .map(|version| EntityTags::parse(&version))
            .transpose()?;
        let data = match (method, take_member(&mut object, "data")?) {
            (BulkMethod::Delete, _) => Value::Null,
            (_, Some(data @ Value::Object(_))) => data,
            (_, _) => return Err(Error::syntax("data is an object").within("data")),
        };
        Ok(Self {
            method,
            kind,
            id,
            if_match,
            data,
        })
    }

    /// The operations of the request that this one refers to, by their `bulkId`.
    ///
    /// # Errors
    ///
    /// [`Error::BulkReference`] if a reference stands where it cannot be resolved.
    pub fn references(&self) -> Result<BTreeSet<&str>, Error> {
        let mut found = BTreeSet::new();
        if let Some(id) = &self.id {
            found.extend(id.strip_prefix(REFERENCE));
        }
        collect(&self.data, &mut found)?;
        Ok(found)
    }

    /// Puts ids in the place of references; `id_of` knows every one of them.
    ///
    /// # Errors
    ///
    /// [`Error::BulkReference`] for one that it does not know.
    pub fn resolve(&mut self, id_of: &dyn Fn(&str) -> Option<String>) -> Result<(), Error> {
        if let Some(id) = &mut self.id {
            replace(id, id_of)?;
        }
        resolve(&mut self.data, id_of)
    }
}

impl BulkMethod {
    fn parse(text: &str) -> Option<Self> {
        [Self::Post, Self::Put, Self::Patch, Self::Delete]
            .into_iter()
            .find(|method| method.as_str().eq_ignore_ascii_case(text))
    }

    /// The method's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

fn text(object: &mut Object, name: &str) -> Result<Option<String>, Error> {
    match take_member(object, name)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::syntax("a string is wanted").within(name)),
    }
}

fn target(path: &str) -> Option<(ResourceKind, Option<&str>)> {
    ResourceKind::ALL.into_iter().find_map(|kind| {
        let rest = path.strip_prefix(kind.endpoint())?;
        match rest.strip_prefix('/') {
            None if rest.is_empty() => Some((kind, None)),
            Some("") => Some((kind, None)),
            Some(id) if !id.contains('/') => Some((kind, Some(id))),
            None | Some(_) => None,
        }
    })
}

/// Recursion is bounded by the depth of a body.
fn collect<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) -> Result<(), Error> {
    match value {
        Value::String(text) => found.extend(text.strip_prefix(REFERENCE)),
        Value::Array(items) => items.iter().try_for_each(|item| collect(item, found))?,
        Value::Object(object) => {
            for (name, value) in object.iter() {
                let is_path = name.eq_ignore_ascii_case("path");
                if is_path && value.as_str().is_some_and(|path| path.contains(REFERENCE)) {
                    // It would select nothing, which is a success.
                    let reason = "a path cannot refer to another operation: send members as values";
                    return Err(Error::BulkReference { reason });
                }
                collect(value, found)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

fn resolve(value: &mut Value, id_of: &dyn Fn(&str) -> Option<String>) -> Result<(), Error> {
    match value {
        Value::String(text) => replace(text, id_of)?,
        Value::Array(items) => items.iter_mut().try_for_each(|item| resolve(item, id_of))?,
        Value::Object(object) => {
            let names: Vec<String> = object.iter().map(|(name, _)| name.to_string()).collect();
            for name in names {
                if let Some(value) = object.get_mut(&name) {
                    resolve(value, id_of)?;
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

fn replace(text: &mut String, id_of: &dyn Fn(&str) -> Option<String>) -> Result<(), Error> {
    if let Some(name) = text.strip_prefix(REFERENCE) {
        let reason = "no POST of this request has the bulkId that is referred to";
        *text = id_of(name).ok_or(Error::BulkReference { reason })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ScimType;
    use std::format;

    fn parse(operations: &str) -> Result<BulkRequest, Error> {
        BulkRequest::parse(format!(r#"{{"Operations":[{operations}]}}"#).as_bytes())
    }

    fn task_of(operation: &str) -> Result<BulkTask, Error> {
        parse(operation)?.operations.remove(0).task
    }

    #[test]
    fn references_are_found_and_replaced_wherever_they_are_values() {
        let mut task = task_of(
            r#"{"method":"post","path":"/Groups","bulkId":"g","data":{"displayName":"d",
            "members":[{"value":"bulkId:a"},{"value":"bulkId:b"},"bulkId:a"]}}"#,
        )
        .unwrap();
        let found: Vec<&str> = task.references().unwrap().into_iter().collect();
        assert_eq!(found, ["a", "b"]);
        task.resolve(&|name| Some(format!("<{name}>"))).unwrap();
        let text = String::from_utf8(task.data.to_bytes()).unwrap();
        assert!(
            text.contains(r#"[{"value":"<a>"},{"value":"<b>"},"<a>"]"#),
            "{text}"
        );
        let mut path = task_of(r#"{"method":"DELETE","path":"/Users/bulkId:a"}"#).unwrap();
        assert_eq!(path.references().unwrap().len(), 1);
        assert!(path.resolve(&|_| None).is_err());
        path.resolve(&|_| Some("1".into())).unwrap();
        assert_eq!(path.id.as_deref(), Some("1"));
    }

    #[test]
    fn a_reference_in_the_path_of_a_patch_is_refused() {
        let task = task_of(
            r#"{"method":"PATCH","path":"/Groups/1","data":{"Operations":[{"op":"remove",
            "path":"members[value eq \"bulkId:a\"]"}]}}"#,
        );
        assert!(matches!(
            task.unwrap().references(),
            Err(Error::BulkReference { .. })
        ));
    }

    #[test]
    fn a_fault_of_one_operation_is_its_own() {
        for (operation, status) in [
            (
                r#"{"method":"POST","path":"/Users/1","bulkId":"a","data":{}}"#,
                405,
            ),
            (r#"{"method":"PUT","path":"/Users","data":{}}"#, 405),
            (r#"{"method":"PUT","path":"/Users/1/2","data":{}}"#, 404),
            (r#"{"method":"PUT","path":"/Usersx/1","data":{}}"#, 404),
            (r#"{"method":"PUT","path":"/Me","data":{}}"#, 404),
        ] {
            let error = task_of(operation).unwrap_err().to_scim();
            assert_eq!(error.status, status, "{operation}");
        }
        for (operation, place) in [
            (r#"{"method":"GET","path":"/Users/1"}"#, "/method"),
            (r#"{"path":"/Users/1"}"#, "/method"),
            (r#"{"method":"POST","path":"/Users","data":{}}"#, "/bulkId"),
            (r#"{"method":"PUT","data":{}}"#, "/path"),
            (r#"{"method":"PUT","path":"","data":{}}"#, "/path"),
            (r#"{"method":"PUT","path":7,"data":{}}"#, "/path"),
            (r#"{"method":"PUT","path":"/Users/1"}"#, "/data"),
            (r#"{"method":"PUT","path":"/Users/1","data":[]}"#, "/data"),
        ] {
            let request = parse(&format!(
                r#"{operation},{{"method":"DELETE","path":"/Users/1"}}"#
            ));
            let request = request.unwrap();
            let error = request.operations[0].task.as_ref().unwrap_err().to_scim();
            assert_eq!(
                error.scim_type,
                Some(ScimType::InvalidSyntax),
                "{operation}"
            );
            assert!(error.detail.contains(place), "{}", error.detail);
            assert!(request.operations[1].task.is_ok());
        }
        let version = r#"{"method":"DELETE","path":"/Users/1","version":"7"}"#;
        assert_eq!(task_of(version).unwrap_err(), Error::EntityTag);
    }

    #[test]
    fn a_request_that_is_none_is_refused_as_a_whole() {
        let many = std::vec!["{}"; BULK_OPERATIONS_MAX + 1].join(",");
        for (body, status) in [
            (String::from("[]"), 400),
            (String::from("{}"), 400),
            (String::from(r#"{"Operations":{}}"#), 400),
            (String::from(r#"{"Operations":[1]}"#), 400),
            (
                String::from(r#"{"schemas":["urn:x"],"Operations":[]}"#),
                400,
            ),
            (String::from(r#"{"failOnErrors":0,"Operations":[]}"#), 400),
            (String::from(r#"{"failOnErrors":"1","Operations":[]}"#), 400),
            (
                String::from(r#"{"Operations":[{"bulkId":"a"},{"bulkId":"a"}]}"#),
                400,
            ),
            (
                format!(r#"{{"Operations":[{{"bulkId":"{}"}}]}}"#, "x".repeat(200)),
                400,
            ),
            (format!(r#"{{"Operations":[{many}]}}"#), 413),
        ] {
            let error = BulkRequest::parse(body.as_bytes()).unwrap_err().to_scim();
            assert_eq!(error.status, status, "{body}");
        }
        let parsed = BulkRequest::parse(br#"{"failOnErrors":3,"Operations":[]}"#).unwrap();
        assert_eq!(parsed.fail_on_errors, Some(3));
    }
}
