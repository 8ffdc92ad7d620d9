//! What is asked of the service: each phase's operations, by number.

use bytes::Bytes;
use chancery_json::{Object, Value};
use hyper::Method;

use crate::error::DevError;

/// Members that one PATCH adds, as connectors of large providers do.
const CHUNK: u64 = 500;

/// Longest prefix of names, in bytes.
const PREFIX_SIZE_MAX: usize = 48;

const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE_SCHEMA: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// One kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// POST /Users.
    Create,
    /// The same for users that only large groups need.
    CreateMore,
    /// GET /Users?filter=userName eq "…".
    Lookup,
    /// GET /Users/{id}.
    Get,
    /// PATCH of a title.
    Retitle,
    /// PATCH of `active` to false, without a path, as Okta does it.
    Deactivate,
    /// PATCH of `active` to `"True"`, as Entra ID does it.
    Reactivate,
    /// POST /Groups.
    CreateGroup,
    /// PATCH that adds many members.
    AddMany,
    /// PATCH that adds one member.
    AddOne,
    /// PATCH that removes one member by a filter in the path.
    RemoveOne,
}

impl Phase {
    /// What people read.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Create => "create user",
            Self::CreateMore => "create more users",
            Self::Lookup => "filter by userName",
            Self::Get => "get by id",
            Self::Retitle => "patch title",
            Self::Deactivate => "deactivate",
            Self::Reactivate => "reactivate",
            Self::CreateGroup => "create group",
            Self::AddMany => "add 500 members",
            Self::AddOne => "add one member",
            Self::RemoveOne => "remove one member",
        }
    }

    /// Whether it makes resources whose ids later phases need.
    pub(crate) const fn creates(self) -> bool {
        matches!(self, Self::Create | Self::CreateMore | Self::CreateGroup)
    }

    /// The status of success; a PATCH may be answered with or without a body.
    pub(crate) const fn accepts(self, status: u16) -> bool {
        match self {
            Self::Create | Self::CreateMore | Self::CreateGroup => status == 201,
            Self::Lookup | Self::Get => status == 200,
            Self::Retitle
            | Self::Deactivate
            | Self::Reactivate
            | Self::AddMany
            | Self::AddOne
            | Self::RemoveOne => status == 200 || status == 204,
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// The method.
    pub(crate) method: Method,
    /// The path below the SCIM base, with its query.
    pub(crate) path: String,
    /// The body, empty if there is none.
    pub(crate) body: Bytes,
}

/// What is to be done, and how often.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What every name begins with.
    pub(crate) prefix: String,
    /// The mail domain.
    pub(crate) domain: String,
    /// How many users.
    pub(crate) users: u64,
    /// How many more for large groups.
    pub(crate) more_users: u64,
    /// How many operations of each later phase.
    pub(crate) operations: u64,
    /// How many groups.
    pub(crate) groups: u64,
    /// Ids of the users, once all are there.
    pub(crate) user_ids: Vec<String>,
    /// Ids of the groups, once all are there.
    pub(crate) group_ids: Vec<String>,
}

impl Plan {
    /// How many operations a phase has.
    pub(crate) fn count(&self, phase: Phase) -> u64 {
        match phase {
            Phase::Create => self.users,
            Phase::CreateMore => self.more_users,
            Phase::CreateGroup => self.groups,
            Phase::AddMany => self.users.div_ceil(CHUNK),
            Phase::Lookup
            | Phase::Get
            | Phase::Retitle
            | Phase::Deactivate
            | Phase::Reactivate
            | Phase::AddOne
            | Phase::RemoveOne => self.operations,
        }
    }

    /// The number of the user that a phase's operation is about.
    const fn user_number(&self, phase: Phase, number: u64) -> u64 {
        match phase {
            Phase::CreateMore => self.users.saturating_add(number),
            _ => number,
        }
    }

    /// The externalId of a user, which is also what they sign in as.
    pub(crate) fn external_id(&self, number: u64) -> String {
        format!("{}-{number:07}", self.prefix)
    }

    /// The userName that an operation creates.
    pub(crate) fn created_name(&self, phase: Phase, number: u64) -> String {
        self.user_name(self.user_number(phase, number))
    }

    /// The userName of a user.
    pub(crate) fn user_name(&self, number: u64) -> String {
        format!("{}-{number:07}@{}", self.prefix, self.domain)
    }

    /// The displayName of a group.
    fn group_name(&self, number: u64) -> String {
        format!("{} group {number}", self.prefix)
    }

    /// The search for what an operation creates, which tells whether it took effect.
    pub(crate) fn search(&self, phase: Phase, number: u64) -> Operation {
        if phase == Phase::CreateGroup {
            search("/Groups", "displayName", &self.group_name(number))
        } else {
            search("/Users", "userName", &self.created_name(phase, number))
        }
    }

    /// One operation of a phase. None if its user or group is not there.
    pub(crate) fn operation(&self, phase: Phase, number: u64) -> Option<Operation> {
        let user = || at(&self.user_ids, number);
        Some(match phase {
            Phase::Create | Phase::CreateMore => {
                post("/Users", &self.user(self.user_number(phase, number)))
            }
            Phase::Lookup => self.search(phase, number),
            Phase::Get => get(format!("/Users/{}", user()?)),
            Phase::Retitle => {
                let title = format!("Engineer {number}");
                patch_user(user()?, replace("title", title.into()))
            }
            Phase::Deactivate => {
                let value = Object::new().with("active", false);
                let operation = Object::new().with("op", "replace").with("value", value);
                patch_user(user()?, operation)
            }
            Phase::Reactivate => patch_user(
                user()?,
                Object::new()
                    .with("op", "Replace")
                    .with("path", "active")
                    .with("value", "True"),
            ),
            Phase::CreateGroup => post("/Groups", &group(self.group_name(number))),
            Phase::AddMany => {
                let from = number.saturating_mul(CHUNK);
                let to = from.saturating_add(CHUNK).min(self.users);
                let members: Option<Vec<&str>> =
                    (from..to).map(|user| at(&self.user_ids, user)).collect();
                patch_group(at(&self.group_ids, 0)?, add(&members?))
            }
            Phase::AddOne => patch_group(self.other_group(number)?, add(&[user()?])),
            Phase::RemoveOne => patch_group(at(&self.group_ids, 0)?, remove(user()?)),
        })
    }

    /// A group for `size` members that has none yet.
    pub(crate) fn sized_group(&self, size: u64) -> Operation {
        let name = format!("{} of {size}", self.prefix);
        post("/Groups", &group(name))
    }

    /// Adds the users `from..to` to a group. None if they are not there.
    pub(crate) fn add_range(&self, group: &str, from: u64, to: u64) -> Option<Operation> {
        let members: Option<Vec<&str>> = (from..to).map(|user| at(&self.user_ids, user)).collect();
        Some(brief(patch_group(group, add(&members?))))
    }

    /// Removes one user from a group. None if they are not there.
    pub(crate) fn remove_user(&self, group: &str, number: u64) -> Option<Operation> {
        Some(brief(patch_group(
            group,
            remove(at(&self.user_ids, number)?),
        )))
    }

    /// A group beside the first one, which holds everybody; the first one if there is no other.
    fn other_group(&self, number: u64) -> Option<&str> {
        let others = self.groups.saturating_sub(1);
        let index = number
            .checked_rem(others)
            .map_or(0, |index| index.saturating_add(1));
        at(&self.group_ids, index)
    }

    /// A user as Okta sends it, about 0.7 KB.
    fn user(&self, number: u64) -> Object {
        let name = self.user_name(number);
        let (given, family) = (format!("Given{number}"), format!("Family{number}"));
        let display = format!("{given} {family}");
        let email = Object::new()
            .with("value", name.as_str())
            .with("type", "work")
            .with("primary", true);
        let phone = Object::new()
            .with("value", format!("+1 555 {number:07}"))
            .with("type", "work");
        let enterprise = Object::new()
            .with("employeeNumber", format!("{number:07}"))
            .with("department", "Engineering")
            .with("organization", "Example")
            .with("costCenter", "4130");
        Object::new()
            .with(
                "schemas",
                vec![USER_SCHEMA.into(), ENTERPRISE_SCHEMA.into()],
            )
            .with("userName", name)
            .with("externalId", self.external_id(number))
            .with(
                "name",
                Object::new()
                    .with("givenName", given)
                    .with("familyName", family)
                    .with("formatted", display.as_str()),
            )
            .with("displayName", display)
            .with("emails", vec![email.into()])
            .with("phoneNumbers", vec![phone.into()])
            .with("title", "Engineer")
            .with("locale", "en-US")
            .with("preferredLanguage", "en")
            .with("timezone", "Europe/Berlin")
            .with("active", true)
            .with(ENTERPRISE_SCHEMA, enterprise)
    }
}

pub(super) fn group(name: String) -> Object {
    Object::new()
        .with("schemas", vec![GROUP_SCHEMA.into()])
        .with("displayName", name)
        .with("members", Vec::<Value>::new())
}

/// The same, without the members in the answer: what a change costs is asked, not what a list does.
pub(super) fn brief(operation: Operation) -> Operation {
    Operation {
        path: format!("{}?excludedAttributes=members", operation.path),
        ..operation
    }
}

fn at(ids: &[String], number: u64) -> Option<&str> {
    ids.get(usize::try_from(number).ok()?).map(String::as_str)
}

pub(super) fn get(path: String) -> Operation {
    Operation {
        method: Method::GET,
        path,
        body: Bytes::new(),
    }
}

pub(super) fn post(path: &str, body: &Object) -> Operation {
    Operation {
        method: Method::POST,
        path: path.to_owned(),
        body: body.to_bytes().into(),
    }
}

/// The filter is sent with the few characters encoded that a query may not hold.
pub(super) fn search(path: &str, attribute: &str, value: &str) -> Operation {
    let value = value.replace(' ', "%20");
    get(format!("{path}?filter={attribute}%20eq%20%22{value}%22"))
}

pub(super) fn replace(path: &str, value: Value) -> Object {
    Object::new()
        .with("op", "replace")
        .with("path", path)
        .with("value", value)
}

pub(super) fn add(members: &[&str]) -> Object {
    let members: Vec<Value> = members
        .iter()
        .map(|member| Object::new().with("value", *member).into())
        .collect();
    Object::new()
        .with("op", "add")
        .with("path", "members")
        .with("value", members)
}

pub(super) fn remove(member: &str) -> Object {
    let path = format!("members[value eq \"{member}\"]");
    Object::new().with("op", "remove").with("path", path)
}

pub(super) fn patch_user(id: &str, operation: Object) -> Operation {
    patch(format!("/Users/{id}"), operation)
}

pub(super) fn patch_group(id: &str, operation: Object) -> Operation {
    patch(format!("/Groups/{id}"), operation)
}

fn patch(path: String, operation: Object) -> Operation {
    let body = Object::new()
        .with("schemas", vec![PATCH_SCHEMA.into()])
        .with("Operations", vec![operation.into()]);
    Operation {
        method: Method::PATCH,
        path,
        body: body.to_bytes().into(),
    }
}

/// Sees that names made of the prefix need no quoting anywhere.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), DevError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if prefix.is_empty() || prefix.len() > PREFIX_SIZE_MAX || !prefix.bytes().all(plain) {
        return Err(DevError::Value {
            option: "--prefix",
            allowed: "1 to 48 characters of a-z, 0-9 and -",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(users: u64, groups: u64) -> Plan {
        Plan {
            prefix: "p".into(),
            domain: "demo.example".into(),
            users,
            more_users: 2,
            operations: users,
            groups,
            user_ids: (0..users).map(|user| format!("u{user}")).collect(),
            group_ids: (0..groups).map(|group| format!("g{group}")).collect(),
        }
    }

    fn body(operation: &Operation) -> &str {
        std::str::from_utf8(&operation.body).unwrap()
    }

    #[test]
    fn a_user_is_as_large_as_an_identity_provider_makes_it() {
        let create = plan(1, 1).operation(Phase::Create, 0).unwrap();
        assert!(
            (600..900).contains(&create.body.len()),
            "{}",
            create.body.len()
        );
        assert!(body(&create).contains(r#""userName":"p-0000000@demo.example""#));
    }

    #[test]
    fn more_users_are_other_users() {
        let plan = plan(3, 1);
        assert_eq!(plan.count(Phase::CreateMore), 2);
        let create = plan.operation(Phase::CreateMore, 1).unwrap();
        assert!(body(&create).contains(r#""userName":"p-0000004@demo.example""#));
        assert!(body(&create).contains(&format!(r#""externalId":"{}""#, plan.external_id(4))));
        assert!(
            plan.search(Phase::CreateMore, 1)
                .path
                .contains("p-0000004@")
        );
    }

    #[test]
    fn members_of_sized_groups_are_not_listed_in_answers() {
        let plan = plan(3, 1);
        assert!(body(&plan.sized_group(3)).contains(r#""displayName":"p of 3""#));
        let added = plan.add_range("g", 1, 3).unwrap();
        assert_eq!(added.path, "/Groups/g?excludedAttributes=members");
        assert!(body(&added).contains(r#"[{"value":"u1"},{"value":"u2"}]"#));
        let removed = plan.remove_user("g", 2).unwrap();
        assert_eq!(removed.path, added.path);
        assert!(body(&removed).contains(r#""path":"members[value eq \"u2\"]""#));
        assert_eq!(plan.add_range("g", 2, 4), None);
        assert_eq!(plan.remove_user("g", 3), None);
    }

    #[test]
    fn searches_by_the_name_that_was_created() {
        let plan = plan(1, 1);
        let lookup = plan.operation(Phase::Lookup, 0).unwrap();
        assert_eq!(
            lookup.path,
            "/Users?filter=userName%20eq%20%22p-0000000@demo.example%22"
        );
        assert_eq!(
            plan.search(Phase::CreateGroup, 3).path,
            "/Groups?filter=displayName%20eq%20%22p%20group%203%22"
        );
    }

    #[test]
    fn every_user_is_in_one_chunk_and_the_last_one_is_shorter() {
        let plan = plan(1001, 2);
        assert_eq!(plan.count(Phase::AddMany), 3);
        let members = |number| {
            let operation = plan.operation(Phase::AddMany, number).unwrap();
            assert_eq!(operation.path, "/Groups/g0");
            body(&operation).matches("{\"value\":").count()
        };
        assert_eq!((members(0), members(1), members(2)), (500, 500, 1));
    }

    #[test]
    fn single_members_go_to_the_other_groups() {
        let path = |plan: &Plan, number| plan.operation(Phase::AddOne, number).unwrap().path;
        let three = plan(5, 3);
        assert_eq!(path(&three, 0), "/Groups/g1");
        assert_eq!(path(&three, 1), "/Groups/g2");
        assert_eq!(path(&three, 2), "/Groups/g1");
        assert_eq!(path(&plan(5, 1), 4), "/Groups/g0");
    }

    #[test]
    fn speaks_both_dialects() {
        let plan = plan(1, 1);
        let text = |phase| body(&plan.operation(phase, 0).unwrap()).to_owned();
        assert!(
            text(Phase::Deactivate).ends_with(r#"[{"op":"replace","value":{"active":false}}]}"#)
        );
        assert!(
            text(Phase::Reactivate).contains(r#""op":"Replace","path":"active","value":"True""#)
        );
        assert!(text(Phase::RemoveOne).contains(r#""path":"members[value eq \"u0\"]""#));
    }

    #[test]
    fn there_is_no_operation_on_what_is_not_there() {
        let mut plan = plan(1, 1);
        plan.user_ids.clear();
        assert_eq!(plan.operation(Phase::Get, 0), None);
        assert_eq!(plan.operation(Phase::AddMany, 0), None);
        assert!(plan.operation(Phase::Create, 0).is_some());
    }

    #[test]
    fn refuses_prefixes_that_would_need_quoting() {
        assert!(check_prefix("run-7").is_ok());
        for prefix in ["", "A", "a b", "a\"", "é", &"a".repeat(49)] {
            assert!(check_prefix(prefix).is_err(), "{prefix}");
        }
    }
}
