//! Creating, replacing, changing and deleting one resource (RFC 7644 sections 3.3, 3.5 and 3.6).

use std::sync::Arc;

use chancery_authority::Scope;
use chancery_engine::{
    Act, Answer as Outcome, Authority, NewGroup, NewUser, Refusal, ResourceId, TenantAct, Update,
};
use chancery_scim::{EntityTags, Error, GroupDocument, PatchRequest, ResourceKind, UserDocument};
use chancery_sealing::Key;
use http::header::IF_MATCH;
use http::{Method, StatusCode};

use crate::answers::written;
use crate::directory::{ActFailure, Directory};
use crate::read::tags;
use crate::rendered;
use crate::route::{Answer, Caller, Request, permitted, projection};

/// What is to be done to which resource.
#[derive(Debug)]
pub(crate) enum Verb {
    Create,
    Replace(ResourceId),
    Patch(ResourceId),
    Delete(ResourceId),
}

/// A write as it was sent.
#[derive(Debug)]
pub(crate) struct Write<'a> {
    pub(crate) kind: ResourceKind,
    pub(crate) verb: Verb,
    pub(crate) if_match: Option<EntityTags>,
    pub(crate) body: &'a [u8],
    pub(crate) look: Look,
}

/// When it is looked whether a name is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Before a key pair is made, and again at commit.
    Before,
    /// At commit alone.
    AtCommit,
}

pub(crate) async fn create<D: Directory>(
    directory: &D,
    request: Request<'_>,
    caller: &Caller,
    kind: ResourceKind,
) -> Result<Answer, ActFailure> {
    let write = Write {
        kind,
        verb: Verb::Create,
        if_match: None,
        body: request.body,
        look: Look::Before,
    };
    // Key pairs are costly: they are made for those alone who may have an account made.
    may_create(directory, caller, kind)?;
    let projection = projection(directory, request, kind)?;
    let fresh = directory.fresh().map_err(|_entropy| Refusal::Internal)?;
    let act = write.into_act(directory, caller, fresh)?;
    let outcome = act_as(directory, caller, act).await?;
    written(
        directory,
        caller,
        &projection,
        StatusCode::CREATED,
        &outcome,
    )
}

pub(crate) fn may_create<D: Directory>(
    directory: &D,
    caller: &Caller,
    kind: ResourceKind,
) -> Result<(), Refusal> {
    let scope = match kind {
        ResourceKind::User => Scope::UsersCreate,
        ResourceKind::Group => Scope::GroupsManage,
    };
    permitted(directory.now_ms(), &directory.read(), caller, scope).map(|_tenant| ())
}

pub(crate) async fn update<D: Directory>(
    directory: &D,
    request: Request<'_>,
    caller: &Caller,
    kind: ResourceKind,
    id: &str,
) -> Result<Answer, ActFailure> {
    let id = ResourceId::parse(id).ok_or(Error::NotFound)?;
    let verb = match *request.method {
        Method::DELETE => Verb::Delete(id),
        Method::PUT => Verb::Replace(id),
        _ => Verb::Patch(id),
    };
    let write = Write {
        kind,
        verb,
        if_match: tags(request, &IF_MATCH)?.map(own_versions),
        body: request.body,
        look: Look::Before,
    };
    let projection = projection(directory, request, kind)?;
    let fresh = directory.fresh().map_err(|_entropy| Refusal::Internal)?;
    let act = write.into_act(directory, caller, fresh)?;
    let outcome = act_as(directory, caller, act).await?;
    written(directory, caller, &projection, StatusCode::OK, &outcome)
}

/// A write is conditional on the resource's own version, not on what is shown beside it.
pub(crate) fn own_versions(tags: EntityTags) -> EntityTags {
    match tags {
        EntityTags::List(tags) => EntityTags::List(
            tags.iter()
                .map(|tag| String::from(rendered::own_version(tag)))
                .collect(),
        ),
        any => any,
    }
}

impl Write<'_> {
    /// What the engine is asked for.
    pub(crate) fn into_act<D: Directory>(
        self,
        directory: &D,
        caller: &Caller,
        fresh: Key,
    ) -> Result<TenantAct, Refusal> {
        let Self {
            kind,
            verb,
            if_match,
            body,
            look,
        } = self;
        match (kind, verb) {
            (ResourceKind::User, Verb::Create) => new_user(directory, caller, (body, look), &fresh),
            (ResourceKind::Group, Verb::Create) => {
                let (document, members) = GroupDocument::parse_create(body, directory.catalogue())?;
                NewGroup::prepare(document, members, &fresh).map(TenantAct::CreateGroup)
            }
            (kind, Verb::Replace(id)) => {
                let update = Update {
                    id,
                    if_match,
                    change: body.to_vec(),
                    fresh,
                };
                Ok(match kind {
                    ResourceKind::User => TenantAct::ReplaceUser(update),
                    ResourceKind::Group => TenantAct::ReplaceGroup(update),
                })
            }
            (kind, Verb::Patch(id)) => {
                let update = Update {
                    id,
                    if_match,
                    change: PatchRequest::parse(body)?,
                    fresh,
                };
                Ok(match kind {
                    ResourceKind::User => TenantAct::PatchUser(update),
                    ResourceKind::Group => TenantAct::PatchGroup(update),
                })
            }
            (kind, Verb::Delete(id)) => {
                let update = Update {
                    id,
                    if_match,
                    change: (),
                    fresh,
                };
                Ok(match kind {
                    ResourceKind::User => TenantAct::DeleteUser(update),
                    ResourceKind::Group => TenantAct::DeleteGroup(update),
                })
            }
        }
    }
}

fn new_user<D: Directory>(
    directory: &D,
    caller: &Caller,
    (body, look): (&[u8], Look),
    fresh: &Key,
) -> Result<TenantAct, Refusal> {
    let document = UserDocument::parse_create(body, directory.catalogue())?;
    let secrets = {
        let view = directory.read();
        let tenant = view.tenant(&caller.tenant).ok_or(Refusal::Unauthorized)?;
        // A name that is taken for all to see costs no key pair.
        let name = document.keys().user_name.as_str();
        let is_taken = tenant.registry.effective().user_named(name).is_some();
        if look == Look::Before && is_taken {
            return Err(Refusal::from(Error::Uniqueness {
                attribute: "userName",
            }));
        }
        Arc::clone(&tenant.secrets)
    };
    directory.note_keyset();
    NewUser::prepare(&secrets, document, directory.now_ms(), fresh).map(TenantAct::CreateUser)
}

pub(crate) fn act_as<'d, D: Directory>(
    directory: &'d D,
    caller: &Caller,
    act: TenantAct,
) -> impl Future<Output = Result<Outcome, ActFailure>> + Send + use<'d, D> {
    let authority = Authority::Credential {
        handle: caller.credential,
    };
    directory.act(Act::Tenant {
        tenant: caller.tenant,
        authority,
        act: Box::new(act),
    })
}
