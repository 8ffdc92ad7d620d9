//! Operations on the members of a group: wishes about a set.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Verb;
use crate::document::member;
use crate::fault::Fault;
use crate::filter::{Literal, Operator, Test, Tree};
use crate::schema::{Kind, Place};

/// The longest id.
const ID_BYTES_MAX: usize = 256;

/// A member as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The id.
    pub id: String,
    /// Whether the request calls it a group.
    pub is_group: bool,
}

/// What an id belongs to.
pub type What<'a> = &'a dyn Fn(&str) -> Option<Kind>;

/// What is wished of a set of members, whatever it is now.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Whether those who are there now leave first.
    pub cleared: bool,
    /// Who is to be there.
    pub added: BTreeSet<String>,
    /// Who is not.
    pub removed: BTreeSet<String>,
    named: Vec<(Named, Strict)>,
}

/// Whether a member that nobody knows is refused or left out.
type Strict = bool;

impl Wish {
    /// The wish for exactly these.
    #[must_use]
    pub fn exactly(members: Vec<Named>) -> Self {
        let mut wish = Self::default();
        wish.clear();
        wish.add(members, true);
        wish
    }

    /// The set that results.
    #[must_use]
    pub fn of(&self, before: &BTreeSet<String>) -> BTreeSet<String> {
        let mut after = if self.cleared {
            BTreeSet::new()
        } else {
            before.clone()
        };
        after.retain(|id| !self.removed.contains(id));
        after.extend(self.added.iter().cloned());
        after
    }

    /// No group is a member. Whoever is nobody is refused in a list of all members, and left out of
    /// what is added to one.
    ///
    /// # Errors
    /// [`Fault::Value`].
    pub fn settle(&mut self, what: What<'_>) -> Result<(), Fault> {
        for (named, strict) in &self.named {
            let found = what(&named.id);
            if named.is_group || found == Some(Kind::Group) || (*strict && found.is_none()) {
                return Err(Fault::Value);
            }
        }
        self.added.retain(|id| what(id) == Some(Kind::User));
        Ok(())
    }

    fn clear(&mut self) {
        self.cleared = true;
        self.added.clear();
        self.removed.clear();
    }

    fn add(&mut self, members: Vec<Named>, strict: Strict) {
        for named in members {
            self.removed.remove(&named.id);
            self.added.insert(named.id.clone());
            self.named.push((named, strict));
        }
    }

    fn remove(&mut self, members: Vec<Named>) {
        for Named { id, .. } in members {
            self.added.remove(&id);
            self.removed.insert(id);
        }
    }
}

pub(super) fn change(
    wish: &mut Wish,
    verb: Verb,
    (place, filter): (Place, Option<&Tree>),
    value: Option<&Value>,
) -> Result<(), Fault> {
    let selected = filter
        .map(|filter| ids_of(filter).ok_or(Fault::Path))
        .transpose()?;
    if place.sub.is_some() {
        // The sub-attributes of members are immutable (RFC 7643 section 4.2).
        return Err(Fault::Mutability);
    }
    match (verb, selected) {
        (Verb::Replace, Some(_)) => return Err(Fault::Mutability),
        (Verb::Remove, Some(ids)) => wish.remove(ids),
        (Verb::Add, Some(ids)) => wish.add(ids, false),
        (Verb::Add, None) => wish.add(members_named(value.ok_or(Fault::Value)?)?, false),
        (Verb::Replace, None) => {
            let all = members_named(value.ok_or(Fault::Value)?)?;
            wish.clear();
            wish.add(all, true);
        }
        // Without a value all leave (RFC 7644 section 3.5.2.2), with one those whom it lists.
        (Verb::Remove, None) => match value {
            None | Some(Value::Null) => wish.clear(),
            Some(value) => {
                let ids = members_named(value)?;
                if ids.is_empty() {
                    return Err(Fault::Value);
                }
                wish.remove(ids);
            }
        },
    }
    Ok(())
}

/// A list of members, in any form in which one is sent; each once.
///
/// # Errors
/// [`Fault::Value`], or [`Fault::Syntax`] for two spellings of one name.
pub fn members_named(value: &Value) -> Result<Vec<Named>, Fault> {
    let items: Vec<&Value> = match value {
        Value::Array(items) => items.iter().filter(|item| !item.is_null()).collect(),
        Value::Null => Vec::new(),
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(_) | Value::Object(_) => vec![value],
        Value::Bool(_) | Value::Number(_) => return Err(Fault::Value),
    };
    let mut found: Vec<Named> = Vec::new();
    for item in items {
        let named = member_named(item)?;
        if !found.iter().any(|known| known.id == named.id) {
            found.push(named);
        }
    }
    Ok(found)
}

fn member_named(item: &Value) -> Result<Named, Fault> {
    let (id, kind) = match item {
        Value::String(id) => (Some(id.as_str()), None),
        Value::Object(object) => {
            let text = |name: &str| member(object, name).map(|found| found.and_then(Value::as_str));
            (text("value")?, text("type")?)
        }
        _ => (None, None),
    };
    let right =
        |id: &&str| !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.contains(char::is_control);
    Ok(Named {
        id: id.filter(right).map(str::to_owned).ok_or(Fault::Value)?,
        is_group: kind.is_some_and(|kind| kind.eq_ignore_ascii_case("Group")),
    })
}

/// The ids that a filter of members names: `value eq` joined by `or`.
fn ids_of(tree: &Tree) -> Option<Vec<Named>> {
    match tree {
        Tree::Test(place, Test::Compare(Operator::Equal, Literal::Text(id)))
            if place.attribute.name == "value" =>
        {
            let id = id.clone();
            Some(vec![Named {
                id,
                is_group: false,
            }])
        }
        Tree::Or(trees) => {
            let ids: Option<Vec<Vec<Named>>> = trees.iter().map(ids_of).collect();
            ids.map(|ids| ids.concat())
        }
        _ => None,
    }
}
