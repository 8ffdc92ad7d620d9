//! Filters (RFC 7644 section 3.4.2.2): grammar, meaning, and the index key that one implies.
//!
//! <https://www.rfc-editor.org/rfc/rfc7644#section-3.4.2.2>
//!
//! An attribute that the resource type does not have is refused, not "no match": a filter that was
//! mistyped would otherwise make the client create what exists.

mod evaluate;
mod parse;
mod probe;
mod term;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use chancery_json::{Number, Value};

use crate::error::Error;
use crate::schema::{Attribute, Catalogue, Place, ResourceKind, ResourceType};

pub use evaluate::ResourceView;
pub(crate) use evaluate::entry_matches;
pub(crate) use parse::parse_path;
pub use probe::Probe;

/// A parsed filter for one resource type.
#[derive(Clone, Debug)]
pub struct Filter {
    node: Node,
}

/// A tree at most `FILTER_DEPTH_MAX` levels deep.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Term(Term),
    /// Some entry of a complex attribute satisfies the whole inner filter.
    Entries(Place, Box<Self>),
    /// What a term about an attribute of other resource types says of one that has no such attribute.
    Constant(bool),
}

#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub(crate) place: Place,
    pub(crate) test: Test,
}

#[derive(Clone, Debug)]
pub(crate) enum Test {
    Present,
    /// `eq null`.
    Absent,
    Text {
        operator: Operator,
        needle: String,
        literal: String,
    },
    Boolean {
        operator: Operator,
        wanted: bool,
    },
    Instant {
        operator: Operator,
        nanos: i128,
    },
    Number {
        operator: Operator,
        wanted: Number,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// A parsed PATCH path: `attr`, `attr.sub`, `attr[filter]`, `attr[filter].sub`, or an extension.
#[derive(Debug)]
pub(crate) enum PatchPath {
    Extension(&'static crate::schema::Schema),
    Attribute { place: Place, filter: Option<Node> },
}

impl Filter {
    /// Parses a filter. Percent decoding, and `+` for space, are the caller's.
    ///
    /// # Errors
    ///
    /// [`Error::Filter`] with the byte offset, for bad syntax, unknown attributes or operators,
    /// values of another type than the attribute's, and filters over a limit.
    pub fn parse(text: &str, of: impl Into<ResourceType>) -> Result<Self, Error> {
        parse::parse_filter(text, of.into(), None).map(|node| Self { node })
    }

    /// Parses a filter over all resource types, as it applies to one of them: an attribute that only
    /// others have is without a value here (RFC 7644 section 3.4.2.1).
    ///
    /// # Errors
    ///
    /// As [`Filter::parse`]; an attribute must belong to some resource type.
    pub fn parse_among(text: &str, kind: ResourceKind, all: Catalogue) -> Result<Self, Error> {
        parse::parse_filter(text, all.of(kind), Some(all)).map(|node| Self { node })
    }

    /// Whether a resource satisfies the filter.
    #[must_use]
    pub fn matches(&self, view: &ResourceView<'_>) -> bool {
        evaluate::resource_matches(&self.node, view)
    }

    /// How many comparisons it takes to look at one resource.
    #[must_use]
    pub fn comparisons(&self) -> usize {
        comparisons(&self.node)
    }

    /// An index key that every matching resource must have. Candidates still have to pass
    /// [`Filter::matches`].
    #[must_use]
    pub fn probe(&self) -> Probe {
        probe::probe(&self.node)
    }
}

fn comparisons(node: &Node) -> usize {
    match node {
        Node::And(nodes) | Node::Or(nodes) => nodes.iter().map(comparisons).sum(),
        Node::Not(node) | Node::Entries(_, node) => comparisons(node),
        Node::Term(_) => 1,
        Node::Constant(_) => 0,
    }
}

/// The ids that a filter over `members` or `groups` names: `value eq` terms joined by `or`.
pub(crate) fn id_set(node: &Node) -> Option<Vec<&str>> {
    match node {
        Node::Term(Term {
            place,
            test:
                Test::Text {
                    operator: Operator::Equal,
                    literal,
                    ..
                },
        }) if place.innermost().name == "value" => Some(alloc::vec![literal.as_str()]),
        Node::Or(nodes) => {
            let mut ids = Vec::with_capacity(nodes.len());
            for node in nodes {
                ids.extend(id_set(node)?);
            }
            Some(ids)
        }
        Node::And(_) | Node::Not(_) | Node::Term(_) | Node::Entries(..) | Node::Constant(_) => None,
    }
}

/// The values that an entry needs in order to match: only for `eq` terms joined by `and`.
pub(crate) fn seed(node: &Node) -> Option<Vec<(&'static Attribute, Value)>> {
    match node {
        Node::Term(Term { place, test }) => {
            let value = match test {
                Test::Text {
                    operator: Operator::Equal,
                    literal,
                    ..
                } => Value::String(literal.clone()),
                Test::Boolean {
                    operator: Operator::Equal,
                    wanted,
                } => Value::Bool(*wanted),
                Test::Present
                | Test::Absent
                | Test::Text { .. }
                | Test::Boolean { .. }
                | Test::Instant { .. }
                | Test::Number { .. } => return None,
            };
            Some(alloc::vec![(place.attribute, value)])
        }
        Node::And(nodes) => {
            let mut seeds = Vec::with_capacity(nodes.len());
            for node in nodes {
                seeds.extend(seed(node)?);
            }
            Some(seeds)
        }
        Node::Or(_) | Node::Not(_) | Node::Entries(..) | Node::Constant(_) => None,
    }
}

#[cfg(test)]
mod tests;
