//! The meaning of a filter.
//!
//! Dotted terms on a multi-valued attribute are satisfied by any of its values, each on its own;
//! brackets bind their terms to one value. `ne` is the negation of `eq`, so it holds for absent
//! attributes too.

use alloc::borrow::Cow;
use core::cmp::Ordering;
use core::fmt;

use chancery_json::{Number, Object, Value};

use super::parse::is_relation;
use super::{Node, Operator, Term, Test, id_set};
use crate::group::GroupDocument;
use crate::instant::{self, nanos_of_ms};
use crate::name::{FoldedName, fold};
use crate::schema::{Comparison, Place, ResourceKind};
use crate::user::UserDocument;

/// A resource as a filter or a sort sees it: the document and what the service adds to it.
#[derive(Clone, Copy)]
pub struct ResourceView<'a> {
    pub(crate) kind: ResourceKind,
    pub(crate) object: &'a Object,
    pub(crate) id: &'a str,
    pub(crate) created_ms: u64,
    pub(crate) last_modified_ms: u64,
    relation: &'a dyn Fn(&str) -> bool,
    relation_empty: bool,
}

impl fmt::Debug for ResourceView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceView")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl<'a> ResourceView<'a> {
    /// A user; `in_group` tells whether the user belongs to the group of an id.
    #[must_use]
    pub fn user(
        document: &'a UserDocument,
        id: &'a str,
        times_ms: (u64, u64),
        in_group: &'a dyn Fn(&str) -> bool,
        group_count: u64,
    ) -> Self {
        Self {
            kind: ResourceKind::User,
            object: document.object(),
            id,
            created_ms: times_ms.0,
            last_modified_ms: times_ms.1,
            relation: in_group,
            relation_empty: group_count == 0,
        }
    }

    /// A group; `has_member` tells whether the resource of an id is a member.
    #[must_use]
    pub fn group(
        document: &'a GroupDocument,
        id: &'a str,
        times_ms: (u64, u64),
        has_member: &'a dyn Fn(&str) -> bool,
        member_count: u64,
    ) -> Self {
        Self {
            kind: ResourceKind::Group,
            object: document.object(),
            id,
            created_ms: times_ms.0,
            last_modified_ms: times_ms.1,
            relation: has_member,
            relation_empty: member_count == 0,
        }
    }

    /// The object that holds the attribute of a place.
    pub(crate) fn container(&self, place: Place) -> Option<&'a Object> {
        match place.extension {
            None => Some(self.object),
            Some(schema) => self.object.get(schema.urn)?.as_object(),
        }
    }

    fn instant(&self, name: &str) -> Option<i128> {
        match name {
            "created" => Some(nanos_of_ms(self.created_ms)),
            "lastModified" => Some(nanos_of_ms(self.last_modified_ms)),
            _ => None,
        }
    }
}

pub(super) fn resource_matches(node: &Node, view: &ResourceView<'_>) -> bool {
    match node {
        Node::And(nodes) => nodes.iter().all(|node| resource_matches(node, view)),
        Node::Or(nodes) => nodes.iter().any(|node| resource_matches(node, view)),
        Node::Not(node) => !resource_matches(node, view),
        Node::Entries(place, inner) if is_relation(*place) => {
            id_set(inner).is_some_and(|ids| ids.into_iter().any(view.relation))
        }
        Node::Entries(place, inner) => {
            let value = view
                .container(*place)
                .and_then(|object| object.get(place.attribute.name));
            entries(value)
                .iter()
                .any(|entry| entry_matches(inner, entry))
        }
        Node::Term(term) => term_matches(term, view),
        Node::Constant(holds) => *holds,
    }
}

/// Whether one value of a multi-valued attribute satisfies the filter in brackets.
pub(crate) fn entry_matches(node: &Node, entry: &Value) -> bool {
    match node {
        Node::And(nodes) => nodes.iter().all(|node| entry_matches(node, entry)),
        Node::Or(nodes) => nodes.iter().any(|node| entry_matches(node, entry)),
        Node::Not(node) => !entry_matches(node, entry),
        Node::Term(term) => {
            let value = entry
                .as_object()
                .and_then(|entry| entry.get(term.place.attribute.name));
            holds(term, value.into_iter())
        }
        Node::Entries(..) => false,
        Node::Constant(holds) => *holds,
    }
}

fn term_matches(term: &Term, view: &ResourceView<'_>) -> bool {
    let place = term.place;
    if is_relation(place) {
        return match &term.test {
            Test::Present => !view.relation_empty,
            Test::Absent => view.relation_empty,
            Test::Text { literal, .. } => (view.relation)(literal),
            Test::Boolean { .. } | Test::Instant { .. } | Test::Number { .. } => false,
        };
    }
    match (place.extension, place.attribute.name, place.sub) {
        (None, "id", _) => holds(term, core::iter::once(&Value::from(view.id))),
        (None, "meta", None) => matches!(term.test, Test::Present),
        (None, "meta", Some(sub)) => meta_holds(term, view, sub.name),
        _ => stored_holds(term, view),
    }
}

fn meta_holds(term: &Term, view: &ResourceView<'_>, name: &str) -> bool {
    if let Some(nanos) = view.instant(name) {
        return match term.test {
            Test::Present => true,
            Test::Instant {
                operator,
                nanos: wanted,
            } => compares(operator, &nanos, &wanted),
            Test::Absent | Test::Text { .. } | Test::Boolean { .. } | Test::Number { .. } => false,
        };
    }
    if name == "resourceType" {
        return holds(term, core::iter::once(&Value::from(view.kind.name())));
    }
    // Location and version are made when the resource is shown.
    matches!(term.test, Test::Present)
}

fn stored_holds(term: &Term, view: &ResourceView<'_>) -> bool {
    let place = term.place;
    let value = view
        .container(place)
        .and_then(|object| object.get(place.attribute.name));
    match place.sub {
        None => holds(term, entries(value).iter()),
        Some(sub) => {
            let values = entries(value).iter();
            holds(
                term,
                values.filter_map(|entry| entry.as_object()?.get(sub.name)),
            )
        }
    }
}

/// The values of an attribute, singular or multi-valued.
fn entries(value: Option<&Value>) -> &[Value] {
    match value {
        None => &[],
        Some(Value::Array(items)) => items,
        Some(single) => core::slice::from_ref(single),
    }
}

fn holds<'v>(term: &Term, mut values: impl Iterator<Item = &'v Value>) -> bool {
    match &term.test {
        Test::Present => values.next().is_some(),
        Test::Absent => values.next().is_none(),
        Test::Boolean { operator, wanted } => {
            let equal = values.any(|value| value.as_bool() == Some(*wanted));
            equal == (*operator == Operator::Equal)
        }
        Test::Text {
            operator: Operator::NotEqual,
            needle,
            ..
        } => !values.any(|value| text_holds(term, Operator::Equal, value, needle)),
        Test::Text {
            operator, needle, ..
        } => values.any(|value| text_holds(term, *operator, value, needle)),
        Test::Instant { operator, nanos } => any_compares(*operator, values, |value| {
            Some(instant::parse(value.as_str()?)?.cmp(nanos))
        }),
        Test::Number { operator, wanted } => any_compares(*operator, values, |value| match value {
            Value::Number(number) => Some(numeric_order(number, wanted)),
            Value::Null
            | Value::Bool(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => None,
        }),
    }
}

/// Whether some value compares as wanted; `ne` is that none is equal.
fn any_compares<'v>(
    operator: Operator,
    mut values: impl Iterator<Item = &'v Value>,
    order: impl Fn(&Value) -> Option<Ordering>,
) -> bool {
    if operator == Operator::NotEqual {
        return !values.any(|value| order(value) == Some(Ordering::Equal));
    }
    values.any(|value| order(value).is_some_and(|order| satisfies(operator, order)))
}

/// Integers compare exactly; anything else as binary64.
fn numeric_order(left: &Number, right: &Number) -> Ordering {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => {
            let float = |number: &Number| number.as_f64().unwrap_or(f64::NAN);
            float(left).total_cmp(&float(right))
        }
    }
}

fn text_holds(term: &Term, operator: Operator, value: &Value, needle: &str) -> bool {
    let Some(text) = value.as_str() else {
        return false;
    };
    let text: Cow<'_, str> = match term.place.innermost().comparison {
        Comparison::Exact => Cow::Borrowed(text),
        Comparison::Identifier if operator == Operator::Equal => {
            Cow::Owned(FoldedName::lookup(text).into_string())
        }
        Comparison::Folded | Comparison::Identifier => fold(text),
    };
    match operator {
        Operator::Contains => text.contains(needle),
        Operator::StartsWith => text.starts_with(needle),
        Operator::EndsWith => text.ends_with(needle),
        Operator::Equal
        | Operator::NotEqual
        | Operator::Greater
        | Operator::GreaterOrEqual
        | Operator::Less
        | Operator::LessOrEqual => compares(operator, &*text, needle),
    }
}

fn compares<T: Ord + ?Sized>(operator: Operator, left: &T, right: &T) -> bool {
    satisfies(operator, left.cmp(right))
}

fn satisfies(operator: Operator, order: Ordering) -> bool {
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => false,
    }
}
