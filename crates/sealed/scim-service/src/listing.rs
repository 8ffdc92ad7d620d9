//! Lists and filters (RFC 7644 section 3.4.2): an index where the filter implies one, a scan otherwise.

use std::sync::Arc;

use chancery_engine::{Group, Refusal, Registry, ResourceId, Shelf, User};
use chancery_scim::{
    Error, GroupDocument, ListQuery, Probe, ResourceKind, ResourceView, SortKey, UserDocument,
    render_list,
};
use http::StatusCode;

use crate::answers::with_body;
use crate::directory::{ActFailure, Directory};
use crate::route::{Answer, Caller, Request, permitted, read_scope};
use crate::{MEDIA_TYPE, rendered};

/// Most bytes of resources on a page that shows more than one.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most users that a filter may find for each of them to count as looked up: a listing that happens to
/// be filtered asks after nobody.
const FOUND_MAX: u64 = 10;

/// Most resources that are looked at before writers and other readers get their turn.
const SCAN_CHUNK: usize = 256;
/// From this many candidates on a scan leaves its worker's other tasks to another worker.
const SCAN_LONG: usize = 1024;

/// Lists resources; beside the answer stand the users whom the caller looked up.
pub(crate) fn list<D: Directory>(
    directory: &D,
    request: Request<'_>,
    caller: &Caller,
    kind: ResourceKind,
) -> Result<(Answer, Vec<ResourceId>), ActFailure> {
    let query = ListQuery::parse(request.query, kind)?;
    let shelves = Shelves {
        directory,
        caller,
        kind,
    };
    let base = caller.base.as_str();
    let projection = &query.projection;
    let mut found = Vec::new();
    let (total, page) = match kind {
        ResourceKind::User => {
            let (total, users) = select::<User, D>(&shelves, &query)?;
            if query.filter.is_some() && total <= FOUND_MAX {
                found.extend(users.iter().map(|user| user.id));
            }
            let page = shelves.with(|registry| {
                page(users.iter().map(|user| {
                    let version = rendered::user_version(registry, user, projection);
                    rendered::user(base, registry, user, projection, &version)
                }))
            })?;
            (total, page)
        }
        ResourceKind::Group => {
            let (total, groups) = select::<Group, D>(&shelves, &query)?;
            let page = shelves.with(|registry| {
                page(groups.iter().map(|group| {
                    let version = rendered::group_version(registry, group, projection);
                    rendered::group(base, registry, group, projection, &version)
                }))
            })?;
            (total, page)
        }
    };
    let body = render_list(total, query.start_index, &page.map_err(Refusal::from)?);
    Ok((with_body(StatusCode::OK, MEDIA_TYPE, body), found))
}

/// A tenant's directory, looked at for short moments: a long scan must hold up neither the commit
/// path nor another tenant (I30).
struct Shelves<'a, D> {
    directory: &'a D,
    caller: &'a Caller,
    kind: ResourceKind,
}

impl<D: Directory> Shelves<'_, D> {
    fn with<T>(&self, look: impl FnOnce(&Registry) -> T) -> Result<T, Refusal> {
        let view = self.directory.read();
        let now_ms = self.directory.now_ms();
        let tenant = permitted(now_ms, &view, self.caller, read_scope(self.kind))?;
        Ok(look(tenant.registry.effective()))
    }

    /// Runs `look` on each of `resources`, in chunks.
    fn each<T, R>(
        &self,
        resources: &[Arc<T>],
        mut look: impl FnMut(&Registry, &Arc<T>) -> Result<R, Error>,
    ) -> Result<Vec<R>, Refusal> {
        let mut looked = Vec::with_capacity(resources.len());
        for chunk in resources.chunks(SCAN_CHUNK) {
            let part: Result<Vec<R>, Error> = self.with(|registry| {
                chunk
                    .iter()
                    .map(|resource| look(registry, resource))
                    .collect()
            })?;
            looked.extend(part?);
        }
        Ok(looked)
    }
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

/// A kind of resource that can be listed.
trait Listed: Sized {
    fn shelf(registry: &Registry) -> &Shelf<Self>;
    /// Runs `test` on the resource as filters see it.
    fn viewed<T>(
        &self,
        registry: &Registry,
        test: impl FnOnce(&ResourceView<'_>) -> T,
    ) -> Result<T, Error>;
    /// Resources that an index finds beyond what the shelf offers.
    fn found(registry: &Registry, probe: &Probe) -> Option<Vec<Arc<Self>>>;
}

impl Listed for User {
    fn shelf(registry: &Registry) -> &Shelf<Self> {
        registry.users()
    }

    fn viewed<T>(
        &self,
        registry: &Registry,
        test: impl FnOnce(&ResourceView<'_>) -> T,
    ) -> Result<T, Error> {
        let document = UserDocument::from_canonical(&self.document)?;
        let in_group = |text: &str| {
            ResourceId::parse(text).is_some_and(|group| registry.is_member(group, self.id))
        };
        let groups = u64::try_from(registry.groups_of(self.id).count()).unwrap_or(u64::MAX);
        let (id, times) = (self.id.text(), (self.created_ms, self.modified_ms));
        Ok(test(&ResourceView::user(
            &document, &id, times, &in_group, groups,
        )))
    }

    fn found(registry: &Registry, probe: &Probe) -> Option<Vec<Arc<Self>>> {
        match probe {
            Probe::UserNameEq(name) => Some(
                registry
                    .user_named(name.as_str())
                    .into_iter()
                    .cloned()
                    .collect(),
            ),
            Probe::GroupEq(text) => {
                let group = ResourceId::parse(text);
                let members = group.into_iter().flat_map(|group| registry.members(group));
                Some(
                    members
                        .filter_map(|id| registry.users().get(id))
                        .cloned()
                        .collect(),
                )
            }
            _ => None,
        }
    }
}

impl Listed for Group {
    fn shelf(registry: &Registry) -> &Shelf<Self> {
        registry.groups()
    }

    fn viewed<T>(
        &self,
        registry: &Registry,
        test: impl FnOnce(&ResourceView<'_>) -> T,
    ) -> Result<T, Error> {
        let document = GroupDocument::from_canonical(&self.document)?;
        let has_member = |text: &str| {
            ResourceId::parse(text).is_some_and(|user| registry.is_member(self.id, user))
        };
        let members = u64::try_from(registry.member_count(self.id)).unwrap_or(u64::MAX);
        let (id, times) = (self.id.text(), (self.created_ms, self.modified_ms));
        Ok(test(&ResourceView::group(
            &document,
            &id,
            times,
            &has_member,
            members,
        )))
    }

    fn found(registry: &Registry, probe: &Probe) -> Option<Vec<Arc<Self>>> {
        match probe {
            Probe::MemberEq(text) => {
                let user = ResourceId::parse(text);
                Some(
                    user.into_iter()
                        .flat_map(|user| registry.groups_of(user))
                        .cloned()
                        .collect(),
                )
            }
            _ => None,
        }
    }
}

/// The total and the wanted page.
fn select<T: Listed + chancery_engine::Shelved, D: Directory>(
    shelves: &Shelves<'_, D>,
    query: &ListQuery,
) -> Result<(u64, Vec<Arc<T>>), Refusal> {
    let offset = usize::try_from(query.start_index.saturating_sub(1)).unwrap_or(usize::MAX);
    let count = usize::try_from(query.count).unwrap_or(usize::MAX);
    if query.filter.is_none() && query.sort.is_none() {
        return shelves.with(|registry| {
            let shelf = T::shelf(registry);
            let page = shelf.in_order_from(offset).take(count).cloned().collect();
            (u64::try_from(shelf.len()).unwrap_or(u64::MAX), page)
        });
    }
    let candidates = shelves.with(|registry| candidates::<T>(registry, query))?;
    let matching = if candidates.len() < SCAN_LONG {
        matching(shelves, query, candidates)?
    } else {
        shelves
            .directory
            .at_length(|| matching(shelves, query, candidates))?
    };
    let total = u64::try_from(matching.len()).unwrap_or(u64::MAX);
    Ok((
        total,
        matching.into_iter().skip(offset).take(count).collect(),
    ))
}

/// The candidates that the filter matches, in the order that is asked for.
fn matching<T: Listed + chancery_engine::Shelved, D: Directory>(
    shelves: &Shelves<'_, D>,
    query: &ListQuery,
    candidates: Vec<Arc<T>>,
) -> Result<Vec<Arc<T>>, Refusal> {
    let matching = match &query.filter {
        Some(filter) => {
            let matches = shelves.each(&candidates, |registry, resource| {
                resource.viewed(registry, |view| filter.matches(view))
            })?;
            let kept = candidates.into_iter().zip(matches);
            kept.filter_map(|(resource, matches)| matches.then_some(resource))
                .collect()
        }
        None => candidates,
    };
    let Some(sort) = &query.sort else {
        return Ok(matching);
    };
    let keys = shelves.each(&matching, |registry, resource| {
        resource.viewed(registry, |view| sort.key(view))
    })?;
    let mut keyed: Vec<(SortKey, Arc<T>)> = keys.into_iter().zip(matching).collect();
    keyed.sort_by(|(left, _), (right, _)| sort.compare(left, right));
    Ok(keyed.into_iter().map(|(_, resource)| resource).collect())
}

/// Every resource that the filter can match, in order of creation.
fn candidates<T: Listed + chancery_engine::Shelved>(
    registry: &Registry,
    query: &ListQuery,
) -> Vec<Arc<T>> {
    let shelf = T::shelf(registry);
    let probe = query
        .filter
        .as_ref()
        .map_or(Probe::Scan, chancery_scim::Filter::probe);
    let mut found: Vec<Arc<T>> = match &probe {
        Probe::IdEq(text) => ResourceId::parse(text)
            .and_then(|id| shelf.get(id))
            .into_iter()
            .cloned()
            .collect(),
        Probe::ExternalIdEq(text) => shelf.with_external_id(text).cloned().collect(),
        Probe::EmailEq(name) => shelf.with_email(name.as_str()).cloned().collect(),
        Probe::DisplayNameEq(name) => shelf.with_display_name(name.as_str()).cloned().collect(),
        other => T::found(registry, other).unwrap_or_else(|| shelf.in_order().cloned().collect()),
    };
    found.sort_by_key(|resource| resource.sequence());
    found
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
