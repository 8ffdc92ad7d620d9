//! The grammar of filters and PATCH paths. Recursion is bounded by `FILTER_DEPTH_MAX`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use chancery_json::Value;

use super::term::term;
use super::{Node, Operator, PatchPath, Term, Test};
use crate::error::Error;
use crate::limits::{BODY, FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_TERMS_MAX};
use crate::schema::{Attribute, Catalogue, Kind, Named, Place, ResourceType, Returned};

struct Parser<'t> {
    text: &'t str,
    offset: usize,
    of: ResourceType,
    /// All resource types, if the filter is over all of them.
    all: Option<Catalogue>,
    /// The attribute whose entries the brackets around us select.
    within: Option<&'static Attribute>,
    depth: usize,
    terms: usize,
}

pub(super) fn parse_filter(
    text: &str,
    of: ResourceType,
    all: Option<Catalogue>,
) -> Result<Node, Error> {
    let mut parser = Parser::new(text, of, all)?;
    let node = parser.any_of()?;
    parser.end()?;
    Ok(node)
}

/// Parses a PATCH path (RFC 7644 section 3.5.2, figure 7).
pub(crate) fn parse_path(text: &str, of: ResourceType) -> Result<PatchPath, Error> {
    let mut parser = Parser::new(text.trim_matches(' '), of, None)?;
    let word = parser.word();
    let place = match of.resolve(word) {
        Some(Named::Extension(schema)) => {
            parser.end()?;
            return Ok(PatchPath::Extension(schema));
        }
        Some(Named::Attribute(place)) => place,
        None => return Err(parser.wrong("name an attribute of the resource")),
    };
    if !parser.eat('[') {
        parser.end()?;
        return Ok(PatchPath::Attribute {
            place,
            filter: None,
        });
    }
    let (inner, sub) = parser.brackets(place)?;
    parser.end()?;
    let place = Place { sub, ..place };
    Ok(PatchPath::Attribute {
        place,
        filter: Some(inner),
    })
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, of: ResourceType, all: Option<Catalogue>) -> Result<Self, Error> {
        if text.len() > FILTER_BYTES_MAX {
            let expected = "the filter is too long";
            return Err(Error::Filter {
                offset: FILTER_BYTES_MAX,
                expected,
            });
        }
        Ok(Self {
            text,
            offset: 0,
            of,
            all,
            within: None,
            depth: 0,
            terms: 0,
        })
    }

    const fn wrong(&self, expected: &'static str) -> Error {
        Error::Filter {
            offset: self.offset,
            expected,
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn advance(&mut self, bytes: usize) {
        self.offset = self.offset.saturating_add(bytes).min(self.text.len());
    }

    fn skip_spaces(&mut self) -> bool {
        let rest = self.rest();
        let spaces = rest
            .len()
            .saturating_sub(rest.trim_start_matches(' ').len());
        self.advance(spaces);
        spaces > 0
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.advance(wanted.len_utf8());
        }
        found
    }

    fn end(&mut self) -> Result<(), Error> {
        self.skip_spaces();
        if self.rest().is_empty() {
            Ok(())
        } else {
            Err(self.wrong("the filter should end here"))
        }
    }

    /// Takes an attribute name, URN, operator or literal word.
    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$' | '.' | ':');
        let length = rest.find(|c| !part(c)).unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or_default();
        self.advance(length);
        word
    }

    /// Takes a keyword that is followed by a space or a parenthesis.
    fn keyword(&mut self, keyword: &str) -> bool {
        let start = self.offset;
        self.skip_spaces();
        if self.word().eq_ignore_ascii_case(keyword) && self.rest().starts_with([' ', '(']) {
            return true;
        }
        self.offset = start;
        false
    }

    fn any_of(&mut self) -> Result<Node, Error> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > FILTER_DEPTH_MAX {
            return Err(self.wrong("the filter is nested too deeply"));
        }
        let mut nodes = Vec::new();
        loop {
            nodes.push(self.all_of()?);
            if !self.keyword("or") {
                break;
            }
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(joined(nodes, Node::Or))
    }

    fn all_of(&mut self) -> Result<Node, Error> {
        let mut nodes = Vec::new();
        loop {
            nodes.push(self.factor()?);
            if !self.keyword("and") {
                return Ok(joined(nodes, Node::And));
            }
        }
    }

    fn factor(&mut self) -> Result<Node, Error> {
        self.skip_spaces();
        if self.eat('(') {
            return self.parenthesis();
        }
        let start = self.offset;
        if self.keyword("not") {
            self.skip_spaces();
            if self.eat('(') {
                return Ok(Node::Not(Box::new(self.parenthesis()?)));
            }
            self.offset = start;
        }
        let (place, owner) = self.attribute()?;
        let node = if self.eat('[') {
            let (inner, sub) = self.brackets(place)?;
            self.after_brackets(place, inner, sub)?
        } else {
            self.comparison(place)?
        };
        Ok(match owner {
            Owner::This => node,
            Owner::Other => Node::Constant(holds_without_value(&node)),
        })
    }

    fn parenthesis(&mut self) -> Result<Node, Error> {
        let node = self.any_of()?;
        self.skip_spaces();
        if self.eat(')') {
            Ok(node)
        } else {
            Err(self.wrong("a closing parenthesis is missing"))
        }
    }

    fn attribute(&mut self) -> Result<(Place, Owner), Error> {
        let start = self.offset;
        let word = self.word();
        let place = match self.within {
            Some(outer) => shown_sub(outer, word).map(|attribute| Place {
                extension: None,
                attribute,
                sub: None,
            }),
            None => attribute_of(self.of, word),
        };
        if let Some(place) = place {
            return Ok((place, Owner::This));
        }
        let mut others = self.all.into_iter().flat_map(Catalogue::all);
        let place = match self.within {
            None => others.find_map(|other| attribute_of(other, word)),
            Some(_) => None,
        };
        place
            .map(|place| (place, Owner::Other))
            .ok_or(Error::Filter {
                offset: start,
                expected: "name an attribute of the resource",
            })
    }

    /// The filter in brackets, of which the first has been taken, and the sub-attribute behind it.
    fn brackets(&mut self, place: Place) -> Result<(Node, Option<&'static Attribute>), Error> {
        if self.within.is_some() || place.sub.is_some() || place.attribute.kind != Kind::Complex {
            return Err(self.wrong("brackets select values of a complex attribute"));
        }
        self.within = Some(place.attribute);
        let inner = self.any_of()?;
        self.within = None;
        self.skip_spaces();
        if !self.eat(']') {
            return Err(self.wrong("a closing bracket is missing"));
        }
        if !self.eat('.') {
            return Ok((inner, None));
        }
        match place.attribute.sub(self.word()) {
            Some(sub) => Ok((inner, Some(sub))),
            None => Err(self.wrong("name a sub-attribute after the brackets")),
        }
    }

    /// `attr[filter]`, or Entra ID's `attr[filter].sub op value`, which binds both to one entry.
    fn after_brackets(
        &mut self,
        place: Place,
        inner: Node,
        sub: Option<&'static Attribute>,
    ) -> Result<Node, Error> {
        let inner = match sub {
            None => inner,
            Some(attribute) => {
                let term = Place {
                    extension: None,
                    attribute,
                    sub: None,
                };
                Node::And(alloc::vec![inner, self.comparison(term)?])
            }
        };
        if is_relation(place) && super::id_set(&inner).is_none() {
            return Err(self.wrong("members and groups are selected by value eq alone"));
        }
        Ok(Node::Entries(place, Box::new(inner)))
    }

    fn comparison(&mut self, place: Place) -> Result<Node, Error> {
        self.terms = self.terms.saturating_add(1);
        if self.terms > FILTER_TERMS_MAX {
            return Err(self.wrong("the filter has too many comparisons"));
        }
        if !self.skip_spaces() {
            return Err(self.wrong("a space and an operator should follow the attribute"));
        }
        let start = self.offset;
        let word = self.word();
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Node::Term(Term {
                place,
                test: Test::Present,
            }));
        }
        let Some(operator) = operator(word) else {
            self.offset = start;
            return Err(self.wrong("use eq, ne, co, sw, ew, gt, ge, lt, le or pr"));
        };
        if !self.skip_spaces() {
            return Err(self.wrong("a space and a value should follow the operator"));
        }
        let start = self.offset;
        let literal = self.literal()?;
        let node = term(place, operator, literal).ok_or(Error::Filter {
            offset: start,
            expected: "attribute, operator and value do not fit",
        })?;
        if is_relation(place) && super::id_set(&node).is_none() {
            return Err(self.wrong("members and groups are selected by value eq alone"));
        }
        Ok(node)
    }

    fn literal(&mut self) -> Result<Value, Error> {
        let rest = self.rest();
        let length = if rest.starts_with('"') {
            quoted_length(rest)
        } else {
            Some(word_length(rest))
        };
        let text = length
            .and_then(|length| rest.get(..length))
            .unwrap_or_default();
        let value = match text {
            _ if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
            _ if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
            _ => Value::parse(text.as_bytes(), &BODY).ok(),
        };
        match value {
            Some(value) if !matches!(value, Value::Array(_) | Value::Object(_)) => {
                self.advance(text.len());
                Ok(value)
            }
            _ => Err(self.wrong("a JSON string, number, true, false or null is wanted")),
        }
    }
}

/// Whose attribute a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The resource type's that the filter is parsed for.
    This,
    /// Another one's alone.
    Other,
}

/// A sub-attribute that may be asked for: whoever may not see a value must not guess it.
fn shown_sub(outer: &'static Attribute, name: &str) -> Option<&'static Attribute> {
    outer
        .sub(name)
        .filter(|sub| sub.returned != Returned::Never)
}

fn attribute_of(of: ResourceType, word: &str) -> Option<Place> {
    match of.resolve(word)? {
        Named::Attribute(place) => Some(place),
        Named::Extension(_) => None,
    }
}

/// What a comparison says of a resource that has no value to compare.
fn holds_without_value(node: &Node) -> bool {
    match node {
        Node::Term(term) => match &term.test {
            Test::Absent => true,
            Test::Present => false,
            Test::Text { operator, .. }
            | Test::Boolean { operator, .. }
            | Test::Instant { operator, .. }
            | Test::Number { operator, .. } => *operator == Operator::NotEqual,
        },
        Node::And(_) | Node::Or(_) | Node::Not(_) | Node::Entries(..) | Node::Constant(_) => false,
    }
}

fn joined(mut nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    match (nodes.pop(), nodes.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => {
            nodes.push(last);
            join(nodes)
        }
        (None, _) => join(nodes),
    }
}

/// The length of a JSON string with its quotes.
fn quoted_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(index.saturating_add(1)),
            _ => {}
        }
    }
    None
}

fn word_length(text: &str) -> usize {
    text.find([' ', ')', ']', '(', '[', '"'])
        .unwrap_or(text.len())
}

fn operator(word: &str) -> Option<Operator> {
    const OPERATORS: [(&str, Operator); 9] = [
        ("eq", Operator::Equal),
        ("ne", Operator::NotEqual),
        ("co", Operator::Contains),
        ("sw", Operator::StartsWith),
        ("ew", Operator::EndsWith),
        ("gt", Operator::Greater),
        ("ge", Operator::GreaterOrEqual),
        ("lt", Operator::Less),
        ("le", Operator::LessOrEqual),
    ];
    OPERATORS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .map(|(_, op)| *op)
}

/// Members of groups and groups of users are kept outside the documents.
pub(super) fn is_relation(place: Place) -> bool {
    place.extension.is_none() && matches!(place.attribute.name, "members" | "groups")
}
