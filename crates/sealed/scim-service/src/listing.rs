//! Lists, filters and searches (RFC 7644 sections 3.4.2 and 3.4.3, RFC 9865).

use chancery_engine::{Refusal, Registry, ResourceId};
use chancery_scim::{Error, Kinds, ListQuery, Page, Position, ResourceKind, render_list};
use http::{Method, StatusCode};

use crate::answers::with_body;
use crate::cursor::{Binding, Direction, Place};
use crate::directory::{ActFailure, Directory};
use crate::item::Item;
use crate::route::{Answer, Caller, Request, permitted, read_scope};
use crate::selection::{Found, select};
use crate::{MEDIA_TYPE, selection};

/// Most bytes of resources on a page that shows more than one.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most users that a filter may find for each of them to count as looked up: a listing that happens to
/// be filtered asks after nobody.
const FOUND_MAX: u64 = 10;

/// Lists resources; beside the answer stand the users whom the caller looked up.
pub(crate) fn list<D: Directory>(
    directory: &D,
    request: Request<'_>,
    caller: &Caller,
    kinds: Kinds,
) -> Result<(Answer, Vec<ResourceId>), ActFailure> {
    // A search is the same question in a body.
    let query = match *request.method {
        Method::POST => ListQuery::parse_search(request.body, kinds, directory.catalogue())?,
        _ => ListQuery::parse(request.query, kinds, directory.catalogue())?,
    };
    let binding = Binding {
        key: directory.cursor_key(),
        caller,
        list: name(kinds),
        query: &query.binding,
        now_ms: directory.now_ms(),
    };
    let place = match &query.page {
        Page::Cursor {
            cursor: Some(text), ..
        } => Some(binding.open(text)?),
        _ => None,
    };
    let shelves = Shelves {
        directory,
        caller,
        kinds,
    };
    let mut found = select(&shelves, &query, place)?;
    let is_back = place.is_some_and(|place| place.direction == Direction::Before);
    if is_back {
        // What does not fit on a page that leads back is left to the page before it.
        found.items.reverse();
    }
    let mut shown = shelves.with(|registry| rendered(&found, &query, registry, caller))??;
    if is_back {
        found.is_first &= shown.len() == found.items.len();
        found.items.truncate(shown.len());
        found.items.reverse();
        shown.reverse();
    }
    let position = position(&query, &found, shown.len(), &binding);
    let body = render_list(found.total, &position, &shown);
    let answer = with_body(StatusCode::OK, MEDIA_TYPE, body);
    Ok((answer, looked_up(&query, &found)))
}

/// A list's name in its cursors: a search goes on where a query began.
const fn name(kinds: Kinds) -> &'static str {
    match kinds {
        Kinds::One(kind) => kind.endpoint(),
        Kinds::All => "/",
    }
}

fn rendered(
    found: &Found,
    query: &ListQuery,
    registry: &Registry,
    caller: &Caller,
) -> Result<Vec<Vec<u8>>, Error> {
    page(found.items.iter().filter_map(|item| {
        let mut selections = query.selections.iter();
        let selection = selections.find(|selection| selection.kind == item.kind())?;
        Some(item.rendered(&caller.base, registry, &selection.projection))
    }))
}

/// As many resources as fit into a page's bytes, but at least one: whoever pages on by the number of
/// resources that were shown finds all of them.
fn page(shown: impl Iterator<Item = Result<Vec<u8>, Error>>) -> Result<Vec<Vec<u8>>, Error> {
    let mut page = Vec::new();
    let mut size = 0_usize;
    for resource in shown {
        let resource = resource?;
        size = size.saturating_add(resource.len());
        if size > PAGE_BYTES_MAX && !page.is_empty() {
            break;
        }
        page.push(resource);
    }
    Ok(page)
}

/// Where the page stands, once it is known how much of it is shown.
fn position(query: &ListQuery, found: &Found, shown: usize, binding: &Binding<'_>) -> Position {
    if let Page::Index { start, .. } = query.page {
        return Position::Index(start);
    }
    let place = |direction, item: &Item| {
        binding.seal(Place {
            direction,
            sequence: item.sequence(),
        })
    };
    let last = shown.checked_sub(1).and_then(|last| found.items.get(last));
    let ends = !found.goes_on && shown == found.items.len();
    Position::Cursor {
        previous: found
            .items
            .first()
            .filter(|_| !found.is_first)
            .map(|first| place(Direction::Before, first)),
        next: last
            .filter(|_| !ends)
            .map(|last| place(Direction::After, last)),
    }
}

fn looked_up(query: &ListQuery, found: &Found) -> Vec<ResourceId> {
    let filtered = query
        .selections
        .iter()
        .any(|selection| selection.kind == ResourceKind::User && selection.filter.is_some());
    if !filtered || found.total > FOUND_MAX {
        return Vec::new();
    }
    let users = found.items.iter();
    users
        .filter(|item| item.kind() == ResourceKind::User)
        .map(Item::id)
        .collect()
}

/// A tenant's directory, looked at for short moments: a long scan must hold up neither the commit
/// path nor another tenant (I30).
pub(crate) struct Shelves<'a, D> {
    pub(crate) directory: &'a D,
    caller: &'a Caller,
    kinds: Kinds,
}

impl<D: Directory> Shelves<'_, D> {
    pub(crate) fn with<T>(&self, look: impl FnOnce(&Registry) -> T) -> Result<T, Refusal> {
        let view = self.directory.read();
        let now_ms = self.directory.now_ms();
        let mut tenant = None;
        for kind in selection::kinds(self.kinds) {
            tenant = Some(permitted(now_ms, &view, self.caller, read_scope(*kind))?);
        }
        let tenant = tenant.ok_or(Refusal::Internal)?;
        Ok(look(tenant.registry.effective()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_before_its_bytes_grow_too_many_but_never_empty() {
        let sizes = |sizes: &[usize]| {
            let shown = sizes.iter().map(|size| Ok(vec![b'x'; *size]));
            page(shown).unwrap().len()
        };
        assert_eq!(sizes(&[]), 0);
        assert_eq!(sizes(&[PAGE_BYTES_MAX + 1, 1]), 1);
        assert_eq!(sizes(&[PAGE_BYTES_MAX - 1, 1, 1]), 2);
        assert_eq!(sizes(&[1, PAGE_BYTES_MAX, 1]), 1);
        assert!(page([Err(Error::NotFound)].into_iter()).is_err());
    }
}
