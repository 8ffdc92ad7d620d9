//! The operations that are compared.

use chancery_json::{Limits, Value};

use crate::bench::worker::{id_of, refusal};
use crate::http::Reply;

/// Users on a page of a list.
pub(super) const PAGE: u64 = 100;
/// The dearest directory may cost so many times the smallest one.
const GROWTH: f64 = 1.25;
/// A page at the end of a list may cost so many times the first one.
pub(super) const PAGES: f64 = 1.5;
/// So many lists are asked for where so many single operations are: one holds a hundred users.
const SINGLE_PER_LIST: u64 = 10;

/// Largest page that is parsed.
const LIST: Limits = Limits {
    bytes_max: 4 * 1024 * 1024,
    depth_max: 16,
    values_max: 64 * 1024,
};

/// One kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// POST /Users.
    Create,
    /// DELETE of those users, so that a directory keeps its size.
    Delete,
    /// GET /Users/{id}.
    Get,
    /// GET /Users?filter=userName eq "…".
    ByUserName,
    /// GET /Users?filter=externalId eq "…".
    ByExternalId,
    /// GET /Users?filter=emails[type eq "work"].value eq "…", as Entra ID sends it.
    ByEmail,
    /// PATCH of a title.
    Patch,
    /// PATCH that removes one member from a group with everybody in it.
    Leave,
    /// PATCH that adds the same member again.
    Join,
    /// The first hundred users.
    FirstPage,
    /// The last hundred, by `startIndex`.
    LastPage,
    /// The first hundred, by cursor.
    FirstCursor,
    /// The last hundred, by the cursor that walking there gives.
    LastCursor,
}

impl Kind {
    /// All, in the order in which a round makes them. What belongs together stands together.
    pub(super) const ALL: [Self; 13] = [
        Self::Create,
        Self::Delete,
        Self::Get,
        Self::ByUserName,
        Self::ByExternalId,
        Self::ByEmail,
        Self::Patch,
        Self::Leave,
        Self::Join,
        Self::FirstPage,
        Self::LastPage,
        Self::FirstCursor,
        Self::LastCursor,
    ];

    /// What people read.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Create => "create user",
            Self::Delete => "delete user",
            Self::Get => "get by id",
            Self::ByUserName => "filter by userName",
            Self::ByExternalId => "filter by externalId",
            Self::ByEmail => "filter by emails.value",
            Self::Patch => "patch title",
            Self::Leave => "remove one member",
            Self::Join => "add one member",
            Self::FirstPage => "first page of 100",
            Self::LastPage => "last page by index",
            Self::FirstCursor => "first page by cursor",
            Self::LastCursor => "last page by cursor",
        }
    }

    /// How many times the cost in the smallest directory it may cost in a larger one. A last page is
    /// measured against the first one besides.
    pub(super) const fn goal(self) -> Option<f64> {
        match self {
            // Nobody named one.
            Self::Delete => None,
            _ => Some(GROWTH),
        }
    }

    /// Whether servers of others are asked for it: what needs an index that their users would have to
    /// build, a group or a cursor is not compared.
    pub(super) const fn is_asked_of_peers(self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::Delete
                | Self::Get
                | Self::ByUserName
                | Self::Patch
                | Self::FirstPage
                | Self::LastPage
        )
    }

    /// Whether the answer is a page of a list.
    pub(super) const fn is_page(self) -> bool {
        matches!(
            self,
            Self::FirstPage | Self::LastPage | Self::FirstCursor | Self::LastCursor
        )
    }

    /// How many of them stand in a round with so many single operations.
    pub(super) const fn count(self, single: u64) -> u64 {
        if self.is_page() {
            single.div_ceil(SINGLE_PER_LIST)
        } else {
            single
        }
    }

    /// Whether an answer is what was asked for; the id of what was created.
    pub(super) fn accept(self, reply: &Reply, users: u64) -> Result<Option<String>, String> {
        let is_good = match self {
            Self::Create => reply.status == 201,
            Self::Delete => reply.status == 204,
            Self::Patch | Self::Leave | Self::Join => matches!(reply.status, 200 | 204),
            _ => reply.status == 200,
        };
        if !is_good {
            return Err(refusal(reply));
        }
        match self {
            Self::Create => match id_of(reply) {
                Some(id) => Ok(Some(id)),
                None => Err("the answer has no id".to_owned()),
            },
            Self::ByUserName | Self::ByExternalId | Self::ByEmail => shows(reply, 1, 1),
            // Pages that follow each other end with what is left.
            Self::LastCursor => shows(reply, users, last_page(users)),
            _ if self.is_page() => shows(reply, users, PAGE.min(users)),
            _ => Ok(None),
        }
    }
}

/// Users on the last of all pages.
const fn last_page(users: u64) -> u64 {
    match users % PAGE {
        0 => PAGE,
        rest => rest,
    }
}

/// Sees that a list counts `total` resources and shows `shown` of them.
fn shows(reply: &Reply, total: u64, shown: u64) -> Result<Option<String>, String> {
    let list = Value::parse(&reply.body, &LIST).map_err(|_no_json| "no JSON".to_owned())?;
    let list = list.as_object().ok_or("the answer is no list")?;
    let counted = list.get("totalResults").and_then(Value::as_u64);
    let resources = list.get("Resources").and_then(Value::as_array);
    let there = resources.map_or(0, <[Value]>::len);
    if counted != Some(total) || u64::try_from(there) != Ok(shown) {
        return Err(format!(
            "{there} resources of {} instead of {shown} of {total}",
            counted.unwrap_or(0)
        ));
    }
    Ok(None)
}

/// The cursor of the page after this one.
pub(super) fn next_cursor(reply: &Reply) -> Result<Option<String>, String> {
    if reply.status != 200 {
        return Err(refusal(reply));
    }
    let list = Value::parse(&reply.body, &LIST).map_err(|_no_json| "no JSON".to_owned())?;
    let next = list.as_object().and_then(|list| list.get("nextCursor"));
    Ok(next.and_then(Value::as_str).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            retry_after_s: None,
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn an_answer_that_shows_something_else_is_no_success() {
        let one = r#"{"totalResults":1,"Resources":[{}]}"#;
        assert_eq!(Kind::ByEmail.accept(&reply(200, one), 100), Ok(None));
        for wrong in [
            r#"{"totalResults":2,"Resources":[{}]}"#,
            r#"{"totalResults":1,"Resources":[]}"#,
            r#"{"totalResults":1}"#,
            "[]",
            "",
        ] {
            let found = Kind::ByEmail.accept(&reply(200, wrong), 100);
            assert!(found.is_err(), "{wrong}");
        }
        assert!(Kind::ByEmail.accept(&reply(400, one), 100).is_err());
        assert!(Kind::FirstPage.accept(&reply(200, one), 100).is_err());
        let users = vec!["{}"; 100].join(",");
        let page = format!(r#"{{"totalResults":400,"Resources":[{users}]}}"#);
        assert_eq!(Kind::LastPage.accept(&reply(200, &page), 400), Ok(None));
        assert!(Kind::LastPage.accept(&reply(200, &page), 401).is_err());
        assert_eq!(Kind::LastCursor.accept(&reply(200, &page), 400), Ok(None));
        assert!(Kind::LastCursor.accept(&reply(200, &page), 401).is_err());
        let one = r#"{"totalResults":401,"Resources":[{}]}"#;
        assert_eq!(Kind::LastCursor.accept(&reply(200, one), 401), Ok(None));
    }

    #[test]
    fn what_is_created_has_an_id() {
        let created = Kind::Create.accept(&reply(201, r#"{"id":"a"}"#), 0);
        assert_eq!(created, Ok(Some("a".to_owned())));
        assert!(Kind::Create.accept(&reply(201, "{}"), 0).is_err());
        assert!(
            Kind::Create
                .accept(&reply(200, r#"{"id":"a"}"#), 0)
                .is_err()
        );
        assert!(Kind::Delete.accept(&reply(404, ""), 0).is_err());
        assert_eq!(Kind::Patch.accept(&reply(204, ""), 0), Ok(None));
    }

    #[test]
    fn the_next_cursor_is_there_until_the_last_page() {
        let next = |body| next_cursor(&reply(200, body));
        assert_eq!(next(r#"{"nextCursor":"a"}"#), Ok(Some("a".to_owned())));
        assert_eq!(next("{}"), Ok(None));
        assert!(next_cursor(&reply(400, "{}")).is_err());
    }

    #[test]
    fn a_list_counts_for_ten_single_operations() {
        assert_eq!(Kind::LastCursor.count(200), 20);
        assert_eq!(Kind::LastCursor.count(1), 1);
        assert_eq!(Kind::Get.count(200), 200);
    }
}
