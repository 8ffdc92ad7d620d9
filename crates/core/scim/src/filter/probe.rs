//! The index key that a filter implies.

use alloc::string::String;

use super::parse::is_relation;
use super::{Node, Operator, Term, Test, id_set};
use crate::name::FoldedName;
use crate::schema::Place;

/// Where to look for candidates. Variants stand in the order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Probe {
    /// Only the resource of this id.
    IdEq(String),
    /// Only the user of this canonical userName.
    UserNameEq(FoldedName),
    /// Only resources of this externalId.
    ExternalIdEq(String),
    /// Only users with this canonical email address.
    EmailEq(FoldedName),
    /// Only groups with this member (id).
    MemberEq(String),
    /// Only users of this group (id).
    GroupEq(String),
    /// Only resources with this folded displayName.
    DisplayNameEq(FoldedName),
    /// Every resource.
    Scan,
}

impl Probe {
    const fn rank(&self) -> u8 {
        match self {
            Self::IdEq(_) => 0,
            Self::UserNameEq(_) => 1,
            Self::ExternalIdEq(_) => 2,
            Self::EmailEq(_) => 3,
            Self::MemberEq(_) => 4,
            Self::GroupEq(_) => 5,
            Self::DisplayNameEq(_) => 6,
            Self::Scan => 7,
        }
    }
}

pub(super) fn probe(node: &Node) -> Probe {
    match node {
        Node::And(nodes) => {
            let probes = nodes.iter().map(probe);
            probes.min_by_key(Probe::rank).unwrap_or(Probe::Scan)
        }
        Node::Term(term) => of_term(term.place, &term.test),
        Node::Entries(place, inner) if is_relation(*place) => match id_set(inner).as_deref() {
            Some([id]) => relation(*place, id),
            _ => Probe::Scan,
        },
        Node::Entries(place, inner) => within(*place, inner),
        Node::Or(_) | Node::Not(_) => Probe::Scan,
    }
}

/// An `eq` on the value of every matching entry.
fn within(place: Place, inner: &Node) -> Probe {
    match inner {
        Node::And(nodes) => {
            let probes = nodes.iter().map(|node| within(place, node));
            probes.min_by_key(Probe::rank).unwrap_or(Probe::Scan)
        }
        Node::Term(Term { place: inner, test }) => of_term(
            Place {
                sub: Some(inner.attribute),
                ..place
            },
            test,
        ),
        Node::Or(_) | Node::Not(_) | Node::Entries(..) => Probe::Scan,
    }
}

fn of_term(place: Place, test: &Test) -> Probe {
    let Test::Text {
        operator: Operator::Equal,
        literal,
        ..
    } = test
    else {
        return Probe::Scan;
    };
    match (
        place.extension,
        place.attribute.name,
        place.sub.map(|sub| sub.name),
    ) {
        (None, "id", None) => Probe::IdEq(literal.clone()),
        (None, "userName", None) => Probe::UserNameEq(FoldedName::lookup(literal)),
        (None, "externalId", None) => Probe::ExternalIdEq(literal.clone()),
        (None, "emails", Some("value")) => Probe::EmailEq(FoldedName::lookup(literal)),
        (None, "displayName", None) => Probe::DisplayNameEq(FoldedName::text(literal)),
        (None, "members" | "groups", Some("value")) => relation(place, literal),
        _ => Probe::Scan,
    }
}

fn relation(place: Place, id: &str) -> Probe {
    if place.attribute.name == "members" {
        Probe::MemberEq(id.into())
    } else {
        Probe::GroupEq(id.into())
    }
}
