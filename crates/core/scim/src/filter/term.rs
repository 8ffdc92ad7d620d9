//! Which comparisons mean something (RFC 7644 section 3.4.2.2, table 3).

use alloc::string::String;

use chancery_json::Value;

use super::{Node, Operator, Term, Test};
use crate::instant;
use crate::name::{FoldedName, fold};
use crate::schema::{Attribute, Comparison, Kind, Place};

/// A comparison, if attribute, operator and value fit (RFC 7644 section 3.4.2.2, table 3).
pub(super) fn term(place: Place, operator: Operator, literal: Value) -> Option<Node> {
    let place = match place.innermost() {
        // A bare complex attribute means its value.
        complex if complex.kind == Kind::Complex => Place {
            sub: Some(complex.value_sub()?),
            ..place
        },
        _ => place,
    };
    if place.extension.is_none()
        && place.attribute.name == "meta"
        && place
            .sub
            .is_some_and(|sub| matches!(sub.name, "location" | "version"))
    {
        // Both are made when the resource is shown.
        return None;
    }
    if place.extension.is_some() && place.is_never_shown() {
        // Whoever may not see a value must not guess it.
        return None;
    }
    let ordered = !matches!(
        operator,
        Operator::Contains | Operator::StartsWith | Operator::EndsWith
    );
    let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
    let test = match (place.innermost().kind, literal) {
        (_, Value::Null) if operator == Operator::Equal => Test::Absent,
        (_, Value::Null) if operator == Operator::NotEqual => Test::Present,
        (Kind::Boolean, literal) if equality => {
            let wanted = literal
                .as_bool()
                .or_else(|| spelled_boolean(literal.as_str()?))?;
            Test::Boolean { operator, wanted }
        }
        (Kind::DateTime, Value::String(text)) if ordered => Test::Instant {
            operator,
            nanos: instant::parse(&text)?,
        },
        (Kind::Integer | Kind::Decimal, Value::Number(wanted)) if ordered => {
            Test::Number { operator, wanted }
        }
        (Kind::Text | Kind::Reference, Value::String(literal)) => {
            text_test(place.innermost(), operator, literal)
        }
        (Kind::Binary, Value::String(literal)) if equality => {
            text_test(place.innermost(), operator, literal)
        }
        _ => return None,
    };
    Some(Node::Term(Term { place, test }))
}

fn text_test(attribute: &Attribute, operator: Operator, literal: String) -> Test {
    let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
    let needle = match attribute.comparison {
        Comparison::Exact => literal.clone(),
        Comparison::Identifier if equality => FoldedName::lookup(&literal).into_string(),
        Comparison::Folded | Comparison::Identifier => fold(&literal).into_owned(),
    };
    Test::Text {
        operator,
        needle,
        literal,
    }
}

/// Entra ID writes `primary eq "True"`.
fn spelled_boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}
