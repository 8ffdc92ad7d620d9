//! Comparisons of answers.

use serde_json::{Map, Value, json};

use super::{Difference, Run};
use crate::listing::Shown;
use crate::request::{Response, Service};
use crate::schema::Kind;
use crate::state::Stamp;

const MEDIA_TYPE: &str = "application/scim+json";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// The status is the one expected.
pub(super) fn status(response: &Response, wanted: u16) -> Result<(), Difference> {
    if response.status == wanted {
        Ok(())
    } else {
        Err(format!("status {wanted} is expected"))
    }
}

/// The answer is one of these errors, in the form of RFC 7644 section 3.12.
pub(super) fn error(response: &Response, wanted: &[(u16, Option<&str>)]) -> Result<(), Difference> {
    let body = response.json();
    let found = (response.status, body["scimType"].as_str());
    if !wanted.contains(&found) {
        return Err(format!(
            "one of the errors {wanted:?} is expected, not {found:?}"
        ));
    }
    let detail = body["detail"].as_str().unwrap_or_default();
    let right = body["schemas"] == json!([ERROR])
        && body["status"] == json!(response.status.to_string())
        && !detail.is_empty();
    if !right {
        return Err(
            "an error body with schemas, status as a string and detail is expected".to_owned(),
        );
    }
    media_type(response)
}

/// The answer is a 304 with nothing but the tag of what would be shown now.
pub(super) fn not_modified(
    response: &Response,
    known: &[(String, Stamp)],
    now: &Stamp,
) -> Result<(), Difference> {
    status(response, 304)?;
    let tag = response.header("etag").ok_or("there is no ETag")?;
    let right = match known.iter().find(|(_, stamp)| stamp == now) {
        Some((known, _)) => known == tag,
        None => known.iter().all(|(known, _)| known != tag),
    };
    if right && response.body.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "304 has no body and the tag of what would be shown: {known:?}, now {now:?}"
        ))
    }
}

/// The answer has the media type of SCIM.
pub(super) fn media_type(response: &Response) -> Result<(), Difference> {
    let named = response.header("content-type").unwrap_or_default();
    if named.split(';').next() == Some(MEDIA_TYPE) {
        Ok(())
    } else {
        Err(format!("the media type is {named:?}"))
    }
}

/// Two values are the same, whatever the order of relations; null, empty and absent are one state.
pub(super) fn same(what: &str, found: &Value, wanted: &Value) -> Result<(), Difference> {
    let (found, wanted) = (tidy(found), tidy(wanted));
    if found == wanted {
        return Ok(());
    }
    Err(format!("{what} is\n  {found}\nand should be\n  {wanted}"))
}

fn tidy(value: &Value) -> Value {
    let empty = |value: &Value| {
        value.is_null()
            || value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(Map::is_empty)
    };
    match value {
        Value::Object(object) => {
            let mut kept = Map::new();
            for (name, value) in object {
                let mut value = tidy(value);
                if matches!(name.as_str(), "members" | "groups")
                    && let Value::Array(items) = &mut value
                {
                    items.sort_by_key(Value::to_string);
                }
                if !empty(&value) {
                    kept.insert(name.clone(), value);
                }
            }
            Value::Object(kept)
        }
        Value::Array(items) => items.iter().map(tidy).collect(),
        other => other.clone(),
    }
}

impl<S: Service> Run<'_, S> {
    /// An answer shows a resource as it should be, and its tag and times are right.
    pub(super) fn check_resource(
        &mut self,
        kind: Kind,
        id: &str,
        shown: &Shown,
        response: &Response,
    ) -> Result<(), Difference> {
        media_type(response)?;
        let body = response.json();
        let etag = response.header("etag").ok_or("there is no ETag")?;
        if let Some(version) = body["meta"]["version"].as_str()
            && version != etag
        {
            return Err("ETag and meta.version differ".to_owned());
        }
        if shown.is_all() {
            self.note_version(id, &body, etag)?;
        }
        if kind == Kind::Group && shown.is_all() && !body["members"].is_array() {
            return Err("a group shows its members, even if there are none".to_owned());
        }
        self.check_shown(kind, id, shown, &body)
    }

    /// A representation is the one that it should be.
    pub(super) fn check_shown(
        &self,
        kind: Kind,
        id: &str,
        shown: &Shown,
        found: &Value,
    ) -> Result<(), Difference> {
        let resource = self.state.find(kind, id).ok_or("it should not exist")?;
        let wanted = shown.cut(kind, &self.state.shown(resource));
        same(
            "the resource",
            &without_version(found),
            &without_version(&wanted),
        )
    }

    /// A tag changes exactly if what it stands for does, and the time of the last change with the
    /// resource's own version.
    fn note_version(&mut self, id: &str, body: &Value, etag: &str) -> Result<(), Difference> {
        let text = |name: &str| body["meta"][name].as_str().unwrap_or_default().to_owned();
        let (created, modified) = (text("created"), text("lastModified"));
        let resource = self
            .state
            .find_mut(id)
            .ok_or("it should not exist")?
            .clone();
        let stamp = self.state.stamp(&resource);
        for (tag, stood_for) in &resource.tags {
            if (tag == etag) != (*stood_for == stamp) {
                return Err(format!(
                    "the tag {tag} stood for {stood_for:?}, now {etag} for {stamp:?}"
                ));
            }
        }
        if let Some((_, (version, _))) = resource.tags.last() {
            let moved = modified != resource.modified;
            if created != resource.created
                || moved != (*version != stamp.0)
                || modified < resource.modified
            {
                return Err(format!(
                    "version {version} was changed at {}, version {} at {modified}",
                    resource.modified, stamp.0
                ));
            }
        } else if created != modified && stamp.0 == 1 {
            return Err("what was never changed was changed last when it was made".to_owned());
        }
        if let Some(resource) = self.state.find_mut(id) {
            resource.created = created;
            resource.modified = modified;
            if resource
                .tags
                .last()
                .is_none_or(|(_, newest)| *newest != stamp)
            {
                resource.tags.push((etag.to_owned(), stamp));
            }
        }
        Ok(())
    }
}

/// A resource without the tag in it, which was compared already.
pub(super) fn without_version(found: &Value) -> Value {
    let mut found = found.clone();
    if let Some(meta) = found.get_mut("meta").and_then(Value::as_object_mut) {
        meta.remove("version");
    }
    found
}
