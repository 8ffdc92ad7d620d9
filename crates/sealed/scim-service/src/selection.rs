//! Which resources a query selects: by an index where the filter implies one, by a bounded scan otherwise.

use std::sync::Arc;

use chancery_engine::{Refusal, Registry, ResourceId, Shelf, Shelved};
use chancery_scim::{Error, Kinds, ListQuery, Page, Probe, ResourceKind, Selection, SortKey};

use crate::cursor::{Direction, Place};
use crate::directory::Directory;
use crate::item::Item;
use crate::listing::Shelves;

/// Most resources that one request looks at one by one.
const SCAN_MAX: usize = 250_000;
/// Most bytes of documents, each times the comparisons of the filter, that one request looks at.
const SCAN_WORK_MAX: usize = 1 << 30;
/// Most resources that are looked at before writers and other readers get their turn.
const SCAN_CHUNK: usize = 256;
/// The same in bytes times comparisons: a millisecond or so.
const SCAN_CHUNK_WORK: usize = 1 << 20;
/// From this many candidates on a scan leaves its worker's other tasks to another worker.
const SCAN_LONG: usize = 1024;

/// A page of what was selected.
#[derive(Debug)]
pub(crate) struct Found {
    /// How many there are on all pages.
    pub(crate) total: u64,
    /// The page.
    pub(crate) items: Vec<Item>,
    /// Whether nothing comes before the page.
    pub(crate) is_first: bool,
    /// Whether something comes after the page.
    pub(crate) goes_on: bool,
}

/// The resource types that a query is over.
pub(crate) const fn kinds(kinds: Kinds) -> &'static [ResourceKind] {
    match kinds {
        Kinds::One(ResourceKind::User) => &[ResourceKind::User],
        Kinds::One(ResourceKind::Group) => &[ResourceKind::Group],
        Kinds::All => &ResourceKind::ALL,
    }
}

/// The wanted page; `place` is where its cursor leads.
pub(crate) fn select<D: Directory>(
    shelves: &Shelves<'_, D>,
    query: &ListQuery,
    place: Option<Place>,
) -> Result<Found, Refusal> {
    let plain = |selection: &Selection| selection.filter.is_none() && selection.sort.is_none();
    if let [selection] = query.selections.as_slice()
        && plain(selection)
    {
        return shelves.with(|registry| match selection.kind {
            ResourceKind::User => on_shelf(registry.users(), &query.page, place, Item::User),
            ResourceKind::Group => on_shelf(registry.groups(), &query.page, place, Item::Group),
        });
    }
    let candidates = shelves.with(|registry| candidates(registry, query))??;
    let matching = if candidates.len() < SCAN_LONG {
        matching(shelves, query, &candidates)?
    } else {
        shelves
            .directory
            .at_length(|| matching(shelves, query, &candidates))?
    };
    let is_sorted = query.selections.iter().any(|one| one.sort.is_some());
    Ok(window(matching, is_sorted, &query.page, place)?)
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn bounded(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// A page of everything on a shelf, in order of creation: nothing is looked at that is not shown.
fn on_shelf<T: Shelved>(
    shelf: &Shelf<T>,
    page: &Page,
    place: Option<Place>,
    item: fn(Arc<T>) -> Item,
) -> Found {
    let total = length(shelf.len());
    let taken = |mut found: Vec<&Arc<T>>, count: usize| {
        let goes_on = found.len() > count;
        found.truncate(count);
        (
            found.into_iter().cloned().map(item).collect::<Vec<Item>>(),
            goes_on,
        )
    };
    let (items, goes_on) = match (page, place) {
        (Page::Index { start, count }, _) => {
            let rank = bounded(start.saturating_sub(1));
            let found = shelf.in_order_from(rank).take(bounded(*count)).collect();
            taken(found, bounded(*count))
        }
        (Page::Cursor { count, .. }, Some(place)) if place.direction == Direction::Before => {
            let found = shelf.in_order_before(place.sequence);
            let (mut items, _) = taken(found.take(bounded(*count)).collect(), bounded(*count));
            items.reverse();
            let last = items.last().map(Item::sequence);
            let goes_on = last.is_some_and(|last| {
                let after = last.saturating_add(1);
                shelf.in_order_since(after).next().is_some()
            });
            (items, goes_on)
        }
        (Page::Cursor { count, .. }, place) => {
            let since = place.map_or(0, |place| place.sequence.saturating_add(1));
            let found = shelf.in_order_since(since);
            let more = bounded(*count).saturating_add(1);
            taken(found.take(more).collect(), bounded(*count))
        }
        _ => (Vec::new(), false),
    };
    let first = shelf.in_order_since(0).next().map(|first| first.sequence());
    Found {
        total,
        is_first: items.first().map(Item::sequence) == first,
        goes_on,
        items,
    }
}

/// A page of a list that is here as a whole.
fn window(
    all: Vec<Item>,
    is_sorted: bool,
    page: &Page,
    place: Option<Place>,
) -> Result<Found, Error> {
    let total = all.len();
    // In a sorted list a number says nothing of the order: the resource itself marks the place.
    let beside = |place: Place, step: usize| {
        if is_sorted {
            let at = all
                .iter()
                .position(|item| item.sequence() == place.sequence);
            at.map(|at| at.saturating_add(step))
                .ok_or(Error::ExpiredCursor)
        } else {
            let before = place.sequence.saturating_add(length(step));
            Ok(all.partition_point(|item| item.sequence() < before))
        }
    };
    let (start, end) = match (page, place) {
        (Page::Index { start, count }, _) => {
            let start = bounded(start.saturating_sub(1)).min(total);
            (start, start.saturating_add(bounded(*count)))
        }
        (Page::Cursor { count, .. }, None) => (0, bounded(*count)),
        (Page::Cursor { count, .. }, Some(place)) => match place.direction {
            Direction::After => {
                let start = beside(place, 1)?;
                (start, start.saturating_add(bounded(*count)))
            }
            Direction::Before => {
                let end = beside(place, 0)?;
                (end.saturating_sub(bounded(*count)), end)
            }
        },
        _ => (0, 0),
    };
    let end = end.min(total);
    let items: Vec<Item> = all.into_iter().take(end).skip(start).collect();
    Ok(Found {
        total: length(total),
        items,
        is_first: start == 0,
        goes_on: end < total,
    })
}

/// The candidates that the filters match, in the order that is asked for.
fn matching<D: Directory>(
    shelves: &Shelves<'_, D>,
    query: &ListQuery,
    candidates: &[Item],
) -> Result<Vec<Item>, Refusal> {
    let selection = |item: &Item| {
        let mut selections = query.selections.iter();
        selections.find(|selection| selection.kind == item.kind())
    };
    let mut kept: Vec<(Option<SortKey>, Item)> = Vec::new();
    let mut looked_at = 0_usize;
    let mut rest = candidates;
    while !rest.is_empty() {
        let (count, work) = portion(rest, query);
        looked_at = looked_at.saturating_add(work);
        if looked_at > SCAN_WORK_MAX {
            return Err(Error::TooMany { limit: SCAN_MAX }.into());
        }
        let (chunk, others) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        rest = others;
        shelves.with(|registry| -> Result<(), Error> {
            for item in chunk {
                let Some(selection) = selection(item) else {
                    continue;
                };
                let filter = selection.filter.as_ref();
                let sort = selection.sort.as_ref();
                let looked = item.viewed(registry, |view| {
                    let matches = filter.is_none_or(|filter| filter.matches(view));
                    matches.then(|| sort.map(|sort| sort.key(view)))
                })?;
                if let Some(key) = looked {
                    kept.push((key, item.clone()));
                }
            }
            Ok(())
        })??;
    }
    let sort = query.selections.iter().find_map(|one| one.sort.as_ref());
    if let Some(sort) = sort {
        kept.sort_by(|(left, _), (right, _)| match (left, right) {
            (Some(left), Some(right)) => sort.compare(left, right),
            _ => std::cmp::Ordering::Equal,
        });
    }
    Ok(kept.into_iter().map(|(_, item)| item).collect())
}

/// How many of the candidates are looked at in one turn, and how much work that is.
fn portion(candidates: &[Item], query: &ListQuery) -> (usize, usize) {
    let comparisons = |selection: &Selection| {
        let filter = selection.filter.as_ref();
        filter.map_or(1, chancery_scim::Filter::comparisons)
    };
    let comparisons = query.selections.iter().map(comparisons).max();
    let comparisons = comparisons.unwrap_or(1).max(1);
    let (mut count, mut work) = (0_usize, 0_usize);
    for item in candidates.iter().take(SCAN_CHUNK) {
        if work >= SCAN_CHUNK_WORK {
            break;
        }
        count = count.saturating_add(1);
        work = work.saturating_add(item.size().saturating_mul(comparisons));
    }
    (count, work)
}

/// Every resource that the filters can match, in order of creation.
fn candidates(registry: &Registry, query: &ListQuery) -> Result<Vec<Item>, Error> {
    let mut found = Vec::new();
    for selection in &query.selections {
        let filter = selection.filter.as_ref();
        let probe = filter.map_or(Probe::Scan, chancery_scim::Filter::probe);
        match selection.kind {
            ResourceKind::User => users(registry, &probe, &mut found)?,
            ResourceKind::Group => groups(registry, &probe, &mut found)?,
        }
    }
    found.sort_by_key(Item::sequence);
    // Two keys may lead to one resource.
    found.dedup_by_key(|item| item.sequence());
    Ok(found)
}

fn users(registry: &Registry, probe: &Probe, found: &mut Vec<Item>) -> Result<(), Error> {
    match probe {
        Probe::UserNameEq(name) => {
            let user = registry.user_named(name.as_str());
            found.extend(user.cloned().map(Item::User));
        }
        Probe::GroupEq(text) => {
            let group = ResourceId::parse(text);
            let members = group.into_iter().flat_map(|group| registry.members(group));
            let users = members.filter_map(|id| registry.users().get(id));
            found.extend(users.cloned().map(Item::User));
        }
        Probe::Any(probes) => {
            for probe in probes {
                users(registry, probe, found)?;
            }
        }
        other => shelved(registry.users(), other, Item::User, found)?,
    }
    Ok(())
}

fn groups(registry: &Registry, probe: &Probe, found: &mut Vec<Item>) -> Result<(), Error> {
    match probe {
        Probe::MemberEq(text) => {
            let user = ResourceId::parse(text);
            let groups = user.into_iter().flat_map(|user| registry.groups_of(user));
            found.extend(groups.cloned().map(Item::Group));
        }
        Probe::Any(probes) => {
            for probe in probes {
                groups(registry, probe, found)?;
            }
        }
        other => shelved(registry.groups(), other, Item::Group, found)?,
    }
    Ok(())
}

/// What the indexes of a shelf find; every resource, if the filter implies none of them.
fn shelved<T: Shelved>(
    shelf: &Shelf<T>,
    probe: &Probe,
    item: fn(Arc<T>) -> Item,
    found: &mut Vec<Item>,
) -> Result<(), Error> {
    match probe {
        Probe::Nothing => {}
        Probe::IdEq(text) => {
            let resource = ResourceId::parse(text).and_then(|id| shelf.get(id));
            found.extend(resource.cloned().map(item));
        }
        Probe::ExternalIdEq(text) => {
            found.extend(shelf.with_external_id(text).cloned().map(item));
        }
        Probe::EmailEq(name) => found.extend(shelf.with_email(name.as_str()).cloned().map(item)),
        Probe::DisplayNameEq(name) => {
            found.extend(shelf.with_display_name(name.as_str()).cloned().map(item));
        }
        _ if shelf.len() > SCAN_MAX => return Err(Error::TooMany { limit: SCAN_MAX }),
        _ => found.extend(shelf.in_order().cloned().map(item)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chancery_engine::Group;

    use super::*;

    fn numbers(found: &Found) -> Vec<u64> {
        found.items.iter().map(Item::sequence).collect()
    }

    fn group(sequence: u64) -> Item {
        Item::Group(Arc::new(Group {
            id: ResourceId::from_random([u8::try_from(sequence).unwrap(); 16]),
            handle: [0; 32],
            sequence,
            created_ms: 0,
            modified_ms: 0,
            version: 1,
            document: Box::default(),
            keys: chancery_engine::IndexKeys::default(),
        }))
    }

    fn paged(all: &[u64], sorted: bool, place: Option<(Direction, u64)>) -> Result<Found, Error> {
        let all = all.iter().copied().map(group).collect();
        let place = place.map(|(direction, sequence)| Place {
            direction,
            sequence,
        });
        let page = ListQuery::parse(
            "cursor=x&count=2",
            Kinds::One(ResourceKind::Group),
            chancery_scim::Catalogue::STANDARD,
        );
        window(all, sorted, &page.unwrap().page, place)
    }

    fn page(all: &[u64], place: Option<(Direction, u64)>) -> Found {
        paged(all, false, place).unwrap()
    }

    #[test]
    fn pages_follow_each_other_both_ways() {
        let all = [3, 5, 8, 9, 12];
        let first = page(&all, None);
        assert!(first.is_first && first.goes_on && first.total == 5);
        assert_eq!(numbers(&first), [3, 5]);
        let second = page(&all, Some((Direction::After, 5)));
        assert_eq!(numbers(&second), [8, 9]);
        assert!(!second.is_first && second.goes_on);
        let third = page(&all, Some((Direction::After, 9)));
        assert_eq!(numbers(&third), [12]);
        assert!(!third.goes_on);
        let back = page(&all, Some((Direction::Before, 12)));
        assert_eq!(numbers(&back), [8, 9]);
        assert_eq!(numbers(&page(&all, Some((Direction::Before, 5)))), [3]);
    }

    #[test]
    fn what_goes_meanwhile_makes_no_other_resource_vanish() {
        // The last one shown, 5, and the first one, 3, are gone.
        let left = [8, 9, 12];
        assert_eq!(numbers(&page(&left, Some((Direction::After, 5)))), [8, 9]);
        assert!(numbers(&page(&left, Some((Direction::After, 12)))).is_empty());
        // In a sorted list the resource is looked for, wherever it stands now.
        let sorted = paged(&[9, 5, 3, 8, 12], true, Some((Direction::After, 5)));
        assert_eq!(numbers(&sorted.unwrap()), [3, 8]);
        for direction in [Direction::After, Direction::Before] {
            let gone = paged(&[9, 3, 8, 12], true, Some((direction, 5)));
            assert_eq!(gone.unwrap_err(), Error::ExpiredCursor);
        }
    }
}
