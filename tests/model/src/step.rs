//! The steps of a program. They name resources by their place in the order of creation, so that a program
//! means something whatever ids the service gives, and still does when steps are left out.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::filter::{Literal, Test, Tree};
use crate::listing::{Query, Shown, Wanted};
use crate::patch::{Operation, Path};
use crate::schema::Kind;
use crate::state::State;

/// Which resource.
#[derive(Clone, Debug)]
pub enum Who {
    /// A live one.
    Live(usize),
    /// A deleted one.
    Gone(usize),
    /// A live one of the other kind.
    Other(usize),
    /// An id that was never given.
    Unknown,
    /// No id at all.
    Garbage,
}

/// What `If-Match` or `If-None-Match` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// There is no header.
    Absent,
    /// The newest tag.
    Current,
    /// One that the resource has had.
    Former(usize),
    /// `*`
    Any,
    /// A tag of something else.
    Foreign,
    /// Several, the newest among them.
    List,
    /// No tags.
    Broken,
}

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// POST
    Create(Kind, Value, Shown),
    /// GET of one
    Get(Kind, Who, Shown, Tags),
    /// GET of many, or the same by POST to `.search`
    List(Kind, Box<Query>, Asked),
    /// PUT
    Put(Kind, Who, Value, Shown, Tags),
    /// PATCH
    Patch(Kind, Who, Vec<Operation>, Shown, Tags),
    /// DELETE
    Delete(Kind, Who, Tags),
    /// All pages of a list, one after the other.
    Pages(Kind, Box<Query>, Paging),
    /// A list over all kinds at the root; the attributes that it names are those of one kind.
    Root(Kind, Box<Query>, Asked),
    /// Many operations in one request.
    Bulk(Vec<Operated>, Option<usize>),
    /// A request that no service may accept.
    Bad(&'static Bad),
}

/// How a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// In the query.
    Get,
    /// In a body.
    Search,
}

/// How pages follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// By `startIndex`.
    Index,
    /// By `cursor` (RFC 9865).
    Cursor,
    /// By `cursor`, and after the first page this resource is deleted.
    Disturbed(usize),
}

/// One operation of a Bulk request. Values `bulkId:…` refer to another one of it.
#[derive(Clone, Debug)]
pub struct Operated {
    /// Its name, which every creation has.
    pub bulk_id: Option<String>,
    /// POST, PUT, PATCH or DELETE, without projection.
    pub step: Step,
}

/// A request that is wrong in itself.
#[derive(Debug)]
pub struct Bad {
    /// The method.
    pub method: &'static str,
    /// Path and query; `{user 0}` and the like are replaced.
    pub target: &'static str,
    /// The body.
    pub body: &'static str,
    /// The status that must be answered.
    pub status: u16,
    /// The `scimType` that must be answered.
    pub scim_type: Option<&'static str>,
}

/// An id that no service gives twice.
const UNKNOWN: &str = "5f0e0000-0000-4000-8000-00000000ffff";

impl Who {
    /// The id that is meant now.
    #[must_use]
    pub fn id(&self, state: &State, kind: Kind) -> String {
        let other = match kind {
            Kind::User => Kind::Group,
            Kind::Group => Kind::User,
        };
        let live = |kind, at: usize| {
            let live = state.live(kind);
            let at = at.checked_rem(live.len());
            at.map_or_else(|| UNKNOWN.to_owned(), |at| live[at].id.clone())
        };
        match self {
            Self::Live(at) => live(kind, *at),
            Self::Other(at) => live(other, *at),
            Self::Gone(at) => {
                let gone = state.gone(kind);
                let at = at.checked_rem(gone.len());
                at.map_or(UNKNOWN, |at| gone[at]).to_owned()
            }
            Self::Unknown => UNKNOWN.to_owned(),
            Self::Garbage => "nobody".to_owned(),
        }
    }
}

/// Replaces references to operations by the ids that they have made.
#[must_use]
pub fn resolved(made: &BTreeMap<String, String>, value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let id = text.strip_prefix("bulkId:").and_then(|name| made.get(name));
            id.map_or_else(|| value.clone(), |id| Value::from(id.as_str()))
        }
        Value::Array(items) => items.iter().map(|item| resolved(made, item)).collect(),
        Value::Object(object) => {
            let members = object
                .iter()
                .map(|(name, value)| (name.clone(), resolved(made, value)));
            members.collect()
        }
        other => other.clone(),
    }
}

/// The names of the operations that a value refers to.
#[must_use]
pub fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.strip_prefix("bulkId:").into_iter().collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(object) => object.values().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// Replaces `{user n}`, `{group n}`, `{gone n}` and `{unknown}` by the ids that they mean now.
#[must_use]
pub fn meant(state: &State, text: &str) -> String {
    let Some(inner) = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
    else {
        return text.to_owned();
    };
    let (word, at) = inner.split_once(' ').unwrap_or((inner, "0"));
    let Ok(at) = at.parse() else {
        return text.to_owned();
    };
    match word {
        "user" => Who::Live(at).id(state, Kind::User),
        "group" => Who::Live(at).id(state, Kind::Group),
        "gone" => Who::Gone(at).id(state, Kind::User),
        "unknown" => Who::Unknown.id(state, Kind::User),
        _ => text.to_owned(),
    }
}

/// The same in every string of a value.
#[must_use]
pub fn meant_in(state: &State, value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(meant(state, text)),
        Value::Array(items) => items.iter().map(|item| meant_in(state, item)).collect(),
        Value::Object(object) => {
            let members = object
                .iter()
                .map(|(name, value)| (name.clone(), meant_in(state, value)));
            members.collect()
        }
        other => other.clone(),
    }
}

fn meant_tree(state: &State, tree: &Tree) -> Tree {
    let all = |trees: &[Tree]| trees.iter().map(|tree| meant_tree(state, tree)).collect();
    let one = |tree: &Tree| Box::new(meant_tree(state, tree));
    let test = |test: &Test| match test {
        Test::Compare(operator, Literal::Text(text)) => {
            Test::Compare(*operator, Literal::Text(meant(state, text)))
        }
        other => other.clone(),
    };
    match tree {
        Tree::And(trees) => Tree::And(all(trees)),
        Tree::Or(trees) => Tree::Or(all(trees)),
        Tree::Not(tree) => Tree::Not(one(tree)),
        Tree::Test(place, asked) => Tree::Test(*place, test(asked)),
        Tree::Within(place, tree) => Tree::Within(*place, one(tree)),
        Tree::WithinThen(place, tree, sub, asked) => {
            Tree::WithinThen(*place, one(tree), sub, test(asked))
        }
    }
}

/// The query that is meant now.
#[must_use]
pub fn meant_query(state: &State, query: &Query) -> Query {
    let mut query = query.clone();
    if let Some(Wanted::Tree(tree)) = &query.filter {
        query.filter = Some(Wanted::Tree(meant_tree(state, tree)));
    }
    query
}

/// The operations that are meant now.
#[must_use]
pub fn meant_operations(state: &State, operations: &[Operation]) -> Vec<Operation> {
    let one = |operation: &Operation| Operation {
        verb: operation.verb,
        path: match &operation.path {
            Path::Attribute(place, filter) => Path::Attribute(
                *place,
                filter.as_ref().map(|filter| meant_tree(state, filter)),
            ),
            other => other.clone(),
        },
        value: operation.value.as_ref().map(|value| meant_in(state, value)),
    };
    operations.iter().map(one).collect()
}
