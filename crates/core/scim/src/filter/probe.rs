//! The index key that a filter implies.

use alloc::string::String;
use alloc::vec::Vec;

use super::parse::is_relation;
use super::{Node, Operator, Term, Test, id_set};
use crate::name::FoldedName;
use crate::schema::Place;

/// Where to look for candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Probe {
    /// Nothing can match.
    Nothing,
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
    /// Only what one of these finds; none of them is a scan or a list itself.
    Any(Vec<Self>),
    /// Every resource.
    Scan,
}

impl Probe {
    /// The order of preference among those that must all hold.
    const fn rank(&self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::IdEq(_) => 1,
            Self::UserNameEq(_) => 2,
            Self::ExternalIdEq(_) => 3,
            Self::EmailEq(_) => 4,
            Self::MemberEq(_) => 5,
            Self::GroupEq(_) => 6,
            Self::DisplayNameEq(_) => 7,
            Self::Any(_) => 8,
            Self::Scan => 9,
        }
    }

    fn all_of(probes: impl Iterator<Item = Self>) -> Self {
        probes.min_by_key(Self::rank).unwrap_or(Self::Scan)
    }

    fn any_of(probes: impl Iterator<Item = Self>) -> Self {
        let mut any = Vec::new();
        for probe in probes {
            if probe == Self::Scan {
                return Self::Scan;
            }
            if let Self::Any(probes) = probe {
                any.extend(probes);
            } else if probe != Self::Nothing && !any.contains(&probe) {
                any.push(probe);
            }
        }
        match (any.pop(), any.is_empty()) {
            (None, _) => Self::Nothing,
            (Some(only), true) => only,
            (Some(last), false) => {
                any.push(last);
                Self::Any(any)
            }
        }
    }
}

pub(super) fn probe(node: &Node) -> Probe {
    match node {
        Node::And(nodes) => Probe::all_of(nodes.iter().map(probe)),
        Node::Or(nodes) => Probe::any_of(nodes.iter().map(probe)),
        Node::Term(term) => of_term(term.place, &term.test),
        Node::Entries(place, inner) if is_relation(*place) => match id_set(inner) {
            Some(ids) => Probe::any_of(ids.into_iter().map(|id| relation(*place, id))),
            None => Probe::Scan,
        },
        Node::Entries(place, inner) => within(*place, inner),
        Node::Constant(false) => Probe::Nothing,
        Node::Not(_) | Node::Constant(true) => Probe::Scan,
    }
}

/// An `eq` on the value of every matching entry.
fn within(place: Place, inner: &Node) -> Probe {
    match inner {
        Node::And(nodes) => Probe::all_of(nodes.iter().map(|node| within(place, node))),
        Node::Or(nodes) => Probe::any_of(nodes.iter().map(|node| within(place, node))),
        Node::Term(Term { place: inner, test }) => of_term(
            Place {
                sub: Some(inner.attribute),
                ..place
            },
            test,
        ),
        Node::Not(_) | Node::Entries(..) | Node::Constant(_) => Probe::Scan,
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
