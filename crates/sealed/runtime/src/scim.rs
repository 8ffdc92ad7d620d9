//! SCIM over HTTP (RFC 7644): from a call to the engine and back.

mod answers;
mod listing;

use std::sync::Arc;

use chancery_authority::{Scope, Token};
use chancery_engine::{
    Act, Answer as Outcome, Authority, NewGroup, NewUser, Refusal, ResourceId, TenantAct,
    TenantView, Update, covers, live_credential,
};
use chancery_scim::discovery::{self, Support};
use chancery_scim::{
    EntityTags, Error, GroupDocument, ListQuery, PatchRequest, Projection, ResourceKind, ScimError,
    UserDocument,
};
use hyper::header::{AGE, AUTHORIZATION, HOST, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, StatusCode};

use crate::http::{Answer, Call, allowing, retry_later, unauthorized, with_body};
use crate::service::{ActFailure, Service};

pub use answers::{error, too_long};
use answers::{failure, not_modified, rendered, written};

/// The media type of RFC 7644 section 8.1.
const MEDIA_TYPE: &str = "application/scim+json";

/// Age of a quorum up to which what is read counts as current: two heartbeats, in microseconds.
const FRESH_US_MAX: u64 = 60 * 1_000_000;

/// A call that a live credential of the tenant makes.
#[derive(Debug)]
pub(crate) struct Caller {
    tenant: chancery_authority::TenantId,
    credential: [u8; 32],
    /// The SCIM base URI, without a final `/`.
    base: String,
}

/// What a path below the SCIM base names.
enum Target<'a> {
    Collection(ResourceKind),
    Resource(ResourceKind, &'a str),
    Discovery(&'a str, Option<&'a str>),
    Me,
    Unknown,
}

/// Finds out by its head alone who makes a SCIM request.
///
/// # Errors
/// The answer, if nobody is served now or the credential is not valid.
pub(crate) fn admit(service: &Service, call: &Call) -> Result<Caller, Box<Answer>> {
    if !service.may_read() {
        return Err(Box::new(retry_later(error(
            StatusCode::SERVICE_UNAVAILABLE,
            "the log's witnesses cannot be reached; try again later",
        ))));
    }
    authenticate(service, call).map_err(|Unauthorized| {
        service.metrics.auth_failures.add(1);
        Box::new(unauthorized(error(
            StatusCode::UNAUTHORIZED,
            "the credential is not valid",
        )))
    })
}

/// Answers a SCIM request whose body is here.
pub(crate) async fn answer(service: &Arc<Service>, call: &Call, caller: &Caller) -> Answer {
    let result = dispatch(service, call, caller).await;
    let mut answer = result.unwrap_or_else(|failed| failure(&failed));
    if call.method == Method::GET {
        show_age(&mut answer, service.quorum_age_us());
    }
    answer
}

/// Without a fresh quorum reads still answer, and say how old what they show may be (RFC 9111
/// section 5.1).
fn show_age(answer: &mut Answer, age_us: u64) {
    if age_us > FRESH_US_MAX {
        answer
            .headers_mut()
            .insert(AGE, HeaderValue::from(age_us / 1_000_000));
    }
}

async fn dispatch(
    service: &Arc<Service>,
    call: &Call,
    caller: &Caller,
) -> Result<Answer, ActFailure> {
    match (&call.method, target(&call.path)) {
        (&Method::GET, Target::Discovery(name, key)) => Ok(discover(call, caller, name, key)),
        (&Method::GET, Target::Collection(kind)) => {
            let (answer, found) = listing::list(service, call, caller, kind)?;
            note_found(service, caller, found).await?;
            Ok(answer)
        }
        (&Method::GET, Target::Resource(kind, id)) => {
            let (answer, found) = read(service, call, caller, kind, id)?;
            note_found(service, caller, found.into_iter().collect()).await?;
            Ok(answer)
        }
        (&Method::POST, Target::Collection(kind)) => create(service, call, caller, kind).await,
        (&Method::PUT | &Method::PATCH | &Method::DELETE, Target::Resource(kind, id)) => {
            update(service, call, caller, kind, id).await
        }
        (_, Target::Me) => Ok(error(
            StatusCode::NOT_IMPLEMENTED,
            "/Me is not offered (RFC 7644 section 3.11)",
        )),
        (_, Target::Unknown) => Ok(error(StatusCode::NOT_FOUND, "there is no such endpoint")),
        (_, Target::Collection(_)) => Ok(wrong_method("GET, HEAD, POST")),
        (_, Target::Resource(..)) => Ok(wrong_method("GET, HEAD, PUT, PATCH, DELETE")),
        (_, Target::Discovery(..)) => Ok(wrong_method("GET, HEAD")),
    }
}

fn wrong_method(methods: &'static str) -> Answer {
    let answer = error(
        StatusCode::METHOD_NOT_ALLOWED,
        "this endpoint does not take this method",
    );
    allowing(answer, methods)
}

struct Unauthorized;

/// The tenant comes from the credential alone; a path that disagrees is no better than no credential
/// (I12, I17).
fn authenticate(service: &Service, call: &Call) -> Result<Caller, Unauthorized> {
    let header = call.header(&AUTHORIZATION).ok_or(Unauthorized)?;
    let (scheme, text) = header.split_once(' ').ok_or(Unauthorized)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Unauthorized);
    }
    let token = Token::parse(text.trim_start()).map_err(|_form| Unauthorized)?;
    let digest = token.digest(&service.token_key);
    let view = service.read();
    let (tenant, credential) = view.credential(digest.as_bytes()).ok_or(Unauthorized)?;
    let owner = view.tenant(&tenant).ok_or(Unauthorized)?;
    live_credential(&owner.registry, service.now_ms(), &credential)
        .map_err(|_refusal| Unauthorized)?;
    let slug = call.path.split('/').nth(2).ok_or(Unauthorized)?;
    if view.tenant_of_slug(slug).map(|named| named.secrets.id()) != Some(tenant) {
        return Err(Unauthorized);
    }
    service.note_use(credential);
    let host = service.node.host_of(call.header(&HOST));
    Ok(Caller {
        tenant,
        credential,
        base: format!("https://{host}/t/{slug}/scim/v2"),
    })
}

fn target(path: &str) -> Target<'_> {
    // "", "t", slug, "scim", "v2", endpoint, id
    let mut segments = path.split('/').skip(4);
    if segments.next() != Some("v2") {
        return Target::Unknown;
    }
    let (name, id, more) = (segments.next(), segments.next(), segments.next());
    if more.is_some() {
        return Target::Unknown;
    }
    // A final slash names the collection.
    match (name, id.filter(|id| !id.is_empty())) {
        (Some("Users"), None) => Target::Collection(ResourceKind::User),
        (Some("Users"), Some(id)) => Target::Resource(ResourceKind::User, id),
        (Some("Groups"), None) => Target::Collection(ResourceKind::Group),
        (Some("Groups"), Some(id)) => Target::Resource(ResourceKind::Group, id),
        (Some("Me"), _) => Target::Me,
        (Some(name @ "ServiceProviderConfig"), None) => Target::Discovery(name, None),
        (Some(name @ ("ResourceTypes" | "Schemas")), id) => Target::Discovery(name, id),
        _ => Target::Unknown,
    }
}

fn discover(call: &Call, caller: &Caller, name: &str, key: Option<&str>) -> Answer {
    let base = caller.base.as_str();
    if key.is_none()
        && let Err(refused) =
            chancery_scim::refuse_discovery_filter(call.query.as_deref().unwrap_or_default())
    {
        return answers::scim_error(&refused);
    }
    let body = match (name, key) {
        ("ServiceProviderConfig", _) => {
            Some(discovery::service_provider_config(base, Support::Offered))
        }
        ("ResourceTypes", None) => Some(discovery::resource_types(base)),
        ("ResourceTypes", Some(key)) => discovery::resource_type(base, key),
        ("Schemas", None) => Some(discovery::schemas(base)),
        (_, Some(key)) => discovery::schema(base, key),
        (_, None) => None,
    };
    body.map_or_else(
        || answers::scim_error(&Error::NotFound),
        |body| with_body(StatusCode::OK, MEDIA_TYPE, body),
    )
}

const fn read_scope(kind: ResourceKind) -> Scope {
    match kind {
        ResourceKind::User => Scope::UsersRead,
        ResourceKind::Group => Scope::GroupsRead,
    }
}

/// Checks that the caller may do what a scope covers, and lends the tenant's directory.
fn permitted<'v>(
    service: &Service,
    view: &'v chancery_engine::View,
    caller: &Caller,
    scope: Scope,
) -> Result<&'v TenantView, Refusal> {
    let tenant = view.tenant(&caller.tenant).ok_or(Refusal::Unauthorized)?;
    let now_ms = service.now_ms();
    let credential = live_credential(&tenant.registry, now_ms, &caller.credential)?;
    covers(&tenant.registry, now_ms, credential, scope)?;
    Ok(tenant)
}

fn read(
    service: &Service,
    call: &Call,
    caller: &Caller,
    kind: ResourceKind,
    id: &str,
) -> Result<(Answer, Option<ResourceId>), ActFailure> {
    let projection = projection(call, kind)?;
    let if_none_match = tags(call, &IF_NONE_MATCH)?;
    let view = service.read();
    let tenant = permitted(service, &view, caller, read_scope(kind))?;
    let id = ResourceId::parse(id)
        .ok_or(Error::NotFound)
        .map_err(Refusal::from)?;
    let registry = tenant.registry.effective();
    let found = (kind == ResourceKind::User).then_some(id);
    let unchanged = |version: &str| {
        if_none_match
            .as_ref()
            .is_some_and(|tags| tags.matches(version))
    };
    let (version, body) = match kind {
        ResourceKind::User => {
            let user = registry.users().get(id).ok_or(Error::NotFound);
            let user = user.map_err(Refusal::from)?;
            let version = rendered::user_version(registry, user, &projection);
            if unchanged(&version) {
                return Ok((not_modified(&version), found));
            }
            let body = rendered::user(&caller.base, registry, user, &projection, &version);
            (version, body)
        }
        ResourceKind::Group => {
            let group = registry.groups().get(id).ok_or(Error::NotFound);
            let group = group.map_err(Refusal::from)?;
            let version = rendered::group_version(registry, group, &projection);
            if unchanged(&version) {
                return Ok((not_modified(&version), found));
            }
            let body = rendered::group(&caller.base, registry, group, &projection, &version);
            (version, body)
        }
    };
    let body = body.map_err(Refusal::from)?;
    let answer = answers::resource(StatusCode::OK, &version, None, body);
    Ok((answer, found))
}

/// While automation is on trial, whoever it finds is somebody whom it knows. That is noted before the
/// answer, or there is none: an account that seems unknown would be suspended by the plan.
async fn note_found(
    service: &Arc<Service>,
    caller: &Caller,
    found: Vec<ResourceId>,
) -> Result<(), ActFailure> {
    let ids = {
        let view = service.read();
        let registry = view.tenant(&caller.tenant).map(|tenant| &tenant.registry);
        registry
            .filter(|registry| registry.takes_intents(service.now_ms()))
            .map(|registry| registry.unmatched(&found))
            .unwrap_or_default()
    };
    if ids.is_empty() {
        return Ok(());
    }
    let fresh = service.fresh().map_err(|_entropy| Refusal::Internal)?;
    act_as(service, caller, TenantAct::Matched { ids, fresh })
        .await
        .map(|_noted| ())
}

/// What the caller wants to be shown. It is read before an act, so that a query that is refused has
/// changed nothing.
fn projection(call: &Call, kind: ResourceKind) -> Result<Projection, Refusal> {
    let query = call.query.as_deref().unwrap_or_default();
    ListQuery::parse_projection(query, kind).map_err(Refusal::from)
}

fn tags(call: &Call, name: &hyper::header::HeaderName) -> Result<Option<EntityTags>, Refusal> {
    // A tag that cannot be read is no missing one: the precondition would be passed over.
    call.headers
        .get(name)
        .map(|value| EntityTags::parse(value.to_str().map_err(|_bytes| Error::EntityTag)?))
        .transpose()
        .map_err(Refusal::from)
}

/// A write is conditional on the resource's own version, not on what is shown beside it.
fn own_versions(tags: EntityTags) -> EntityTags {
    match tags {
        EntityTags::List(tags) => EntityTags::List(
            tags.iter()
                .map(|tag| String::from(rendered::own_version(tag)))
                .collect(),
        ),
        any => any,
    }
}

async fn create(
    service: &Arc<Service>,
    call: &Call,
    caller: &Caller,
    kind: ResourceKind,
) -> Result<Answer, ActFailure> {
    let scope = match kind {
        ResourceKind::User => Scope::UsersCreate,
        ResourceKind::Group => Scope::GroupsManage,
    };
    // Key pairs are costly: they are made for those alone who may have an account made.
    permitted(service, &service.read(), caller, scope)?;
    let projection = projection(call, kind)?;
    let fresh = service.fresh().map_err(|_entropy| Refusal::Internal)?;
    let act = match kind {
        ResourceKind::User => {
            let document = UserDocument::parse_create(call.body()).map_err(Refusal::from)?;
            let secrets = {
                let view = service.read();
                let tenant = view.tenant(&caller.tenant).ok_or(Refusal::Unauthorized)?;
                // A name that is taken for all to see costs no key pair.
                if tenant
                    .registry
                    .effective()
                    .user_named(document.keys().user_name.as_str())
                    .is_some()
                {
                    return Ok(answers::scim_error(&Error::Uniqueness {
                        attribute: "userName",
                    }));
                }
                Arc::clone(&tenant.secrets)
            };
            service.metrics.keysets_made.add(1);
            TenantAct::CreateUser(NewUser::prepare(
                &secrets,
                document,
                service.now_ms(),
                &fresh,
            )?)
        }
        ResourceKind::Group => {
            let (document, members) =
                GroupDocument::parse_create(call.body()).map_err(Refusal::from)?;
            TenantAct::CreateGroup(NewGroup::prepare(document, members, &fresh)?)
        }
    };
    let outcome = act_as(service, caller, act).await?;
    written(service, caller, &projection, StatusCode::CREATED, &outcome)
}

async fn update(
    service: &Arc<Service>,
    call: &Call,
    caller: &Caller,
    kind: ResourceKind,
    id: &str,
) -> Result<Answer, ActFailure> {
    let Some(id) = ResourceId::parse(id) else {
        return Err(Refusal::from(Error::NotFound).into());
    };
    let if_match = tags(call, &IF_MATCH)?.map(own_versions);
    let projection = projection(call, kind)?;
    let fresh = service.fresh().map_err(|_entropy| Refusal::Internal)?;
    let act = match (kind, &call.method) {
        (ResourceKind::User, &Method::DELETE) => TenantAct::DeleteUser(Update {
            id,
            if_match,
            change: (),
            fresh,
        }),
        (ResourceKind::Group, &Method::DELETE) => TenantAct::DeleteGroup(Update {
            id,
            if_match,
            change: (),
            fresh,
        }),
        (ResourceKind::User, &Method::PUT) => TenantAct::ReplaceUser(Update {
            id,
            if_match,
            change: call.body().to_vec(),
            fresh,
        }),
        (ResourceKind::Group, &Method::PUT) => TenantAct::ReplaceGroup(Update {
            id,
            if_match,
            change: call.body().to_vec(),
            fresh,
        }),
        (ResourceKind::User, _) => {
            let change = PatchRequest::parse(call.body()).map_err(Refusal::from)?;
            TenantAct::PatchUser(Update {
                id,
                if_match,
                change,
                fresh,
            })
        }
        (ResourceKind::Group, _) => {
            let change = PatchRequest::parse(call.body()).map_err(Refusal::from)?;
            TenantAct::PatchGroup(Update {
                id,
                if_match,
                change,
                fresh,
            })
        }
    };
    let outcome = act_as(service, caller, act).await?;
    written(service, caller, &projection, StatusCode::OK, &outcome)
}

async fn act_as(
    service: &Arc<Service>,
    caller: &Caller,
    act: TenantAct,
) -> Result<Outcome, ActFailure> {
    let authority = Authority::Credential {
        handle: caller.credential,
    };
    service
        .act(Act::Tenant {
            tenant: caller.tenant,
            authority,
            act: Box::new(act),
        })
        .await
}

/// An error of this layer, in SCIM's form.
fn scim_problem(status: StatusCode, detail: &str) -> ScimError {
    ScimError::new(status.as_u16(), None, detail)
}
