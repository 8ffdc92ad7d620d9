//! Which request is for what.

use chancery_authority::{Scope, TenantId};
use chancery_engine::{Refusal, TenantView, View, covers, live_credential};
use chancery_scim::{Error, Kinds, ListQuery, Projection, ResourceKind, discovery};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};

use crate::answers::{self, allowing, error, failure, with_body};
use crate::directory::{ActFailure, Directory};
use crate::{MEDIA_TYPE, bulk, listing, path, read, write};

/// An answer with its whole body.
pub type Answer = Response<Vec<u8>>;

/// A request whose body is here.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method; `HEAD` counts as `GET`, whose body is not sent then.
    pub method: &'a Method,
    /// What follows the SCIM base in the path, still percent-encoded: `/Users/…`.
    pub path: &'a str,
    /// The query string, without `?`.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

/// Who makes a request: a credential of a tenant, found by its secret.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant.
    pub tenant: TenantId,
    /// Handle of the credential.
    pub credential: [u8; 32],
    /// The SCIM base URI, without a final `/`.
    pub base: String,
}

/// What a path below the SCIM base names.
enum Target<'a> {
    Collection(ResourceKind),
    /// Everything, at the base itself.
    Root,
    Search(Kinds),
    Bulk,
    Resource(ResourceKind, &'a str),
    Discovery(&'a str, Option<&'a str>),
    Me,
    Unknown,
}

/// Answers a SCIM request.
pub async fn answer<D: Directory>(directory: &D, request: Request<'_>, caller: &Caller) -> Answer {
    let Some(path) = path::decoded(request.path) else {
        let reason = "the path is not percent-encoded text (RFC 3986 section 2.1)";
        return error(StatusCode::BAD_REQUEST, reason);
    };
    if !request.body.is_empty() && !is_json(request.headers) {
        let reason =
            "send application/scim+json or application/json, in UTF-8 and not encoded otherwise";
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason);
    }
    let request = Request {
        path: &path,
        ..request
    };
    let result = dispatch(directory, request, caller).await;
    result.unwrap_or_else(|failed| failure(&failed))
}

/// RFC 7644 section 3.8 and 8.1. Without a media type a body is taken for what the endpoint expects; JSON is
/// UTF-8 (RFC 8259 section 8.1), and other parameters say nothing.
fn is_json(headers: &HeaderMap) -> bool {
    let encoding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
        return false;
    }
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let mut parts = value.to_str().unwrap_or_default().split(';');
    let media_type = parts.next().unwrap_or_default().trim();
    let is_utf8 = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let charset = value.trim().trim_matches('"');
        !name.trim().eq_ignore_ascii_case("charset")
            || charset.eq_ignore_ascii_case("utf-8")
            || charset.eq_ignore_ascii_case("utf8")
    };
    [MEDIA_TYPE, "application/json"]
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known))
        && parts.all(is_utf8)
}

async fn dispatch<D: Directory>(
    directory: &D,
    request: Request<'_>,
    caller: &Caller,
) -> Result<Answer, ActFailure> {
    match (request.method, target(request.path)) {
        (&Method::GET, Target::Discovery(name, key)) => {
            Ok(discover(directory, request, caller, (name, key)))
        }
        (&Method::GET, Target::Collection(kind)) => {
            listed(directory, request, caller, Kinds::One(kind)).await
        }
        (&Method::GET, Target::Root) => listed(directory, request, caller, Kinds::All).await,
        (&Method::POST, Target::Search(kinds)) => listed(directory, request, caller, kinds).await,
        (&Method::POST, Target::Bulk) => bulk::answer(directory, request, caller).await,
        (&Method::GET, Target::Resource(kind, id)) => {
            let (answer, found) = read::read(directory, request, caller, kind, id)?;
            read::note_found(directory, caller, found.into_iter().collect()).await?;
            Ok(answer)
        }
        (&Method::POST, Target::Collection(kind)) => {
            write::create(directory, request, caller, kind).await
        }
        (&Method::PUT | &Method::PATCH | &Method::DELETE, Target::Resource(kind, id)) => {
            write::update(directory, request, caller, kind, id).await
        }
        (_, Target::Me) => Ok(error(
            StatusCode::NOT_IMPLEMENTED,
            "/Me is not offered (RFC 7644 section 3.11)",
        )),
        (_, Target::Unknown) => Ok(error(StatusCode::NOT_FOUND, "there is no such endpoint")),
        (_, Target::Collection(_)) => Ok(wrong_method("GET, HEAD, POST")),
        (_, Target::Search(_) | Target::Bulk) => Ok(wrong_method("POST")),
        (_, Target::Root) => Ok(wrong_method("GET, HEAD")),
        (_, Target::Resource(..)) => Ok(wrong_method("GET, HEAD, PUT, PATCH, DELETE")),
        (_, Target::Discovery(..)) => Ok(wrong_method("GET, HEAD")),
    }
}

async fn listed<D: Directory>(
    directory: &D,
    request: Request<'_>,
    caller: &Caller,
    kinds: Kinds,
) -> Result<Answer, ActFailure> {
    let (answer, found) = listing::list(directory, request, caller, kinds)?;
    read::note_found(directory, caller, found).await?;
    Ok(answer)
}

fn wrong_method(methods: &'static str) -> Answer {
    let answer = error(
        StatusCode::METHOD_NOT_ALLOWED,
        "this endpoint does not take this method",
    );
    allowing(answer, methods)
}

fn target(path: &str) -> Target<'_> {
    let mut segments = path.split('/').skip(1);
    let (name, id, more) = (segments.next(), segments.next(), segments.next());
    if more.is_some() {
        return Target::Unknown;
    }
    // A final slash names the collection.
    match (name, id.filter(|id| !id.is_empty())) {
        (None | Some(""), None) => Target::Root,
        (Some(".search"), None) => Target::Search(Kinds::All),
        (Some("Users"), Some(".search")) => Target::Search(Kinds::One(ResourceKind::User)),
        (Some("Groups"), Some(".search")) => Target::Search(Kinds::One(ResourceKind::Group)),
        (Some("Bulk"), None) => Target::Bulk,
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

fn discover<D: Directory>(
    directory: &D,
    request: Request<'_>,
    caller: &Caller,
    (name, key): (&str, Option<&str>),
) -> Answer {
    let (base, catalogue) = (caller.base.as_str(), directory.catalogue());
    if key.is_none()
        && let Err(refused) = chancery_scim::refuse_discovery_filter(request.query)
    {
        return answers::scim_error(&refused);
    }
    let body = match (name, key) {
        ("ServiceProviderConfig", _) => Some(discovery::service_provider_config(base)),
        ("ResourceTypes", None) => Some(discovery::resource_types(base, catalogue)),
        ("ResourceTypes", Some(key)) => discovery::resource_type(base, key, catalogue),
        ("Schemas", None) => Some(discovery::schemas(base, catalogue)),
        (_, Some(key)) => discovery::schema(base, key, catalogue),
        (_, None) => None,
    };
    body.map_or_else(
        || answers::scim_error(&Error::NotFound),
        |body| with_body(StatusCode::OK, MEDIA_TYPE, body),
    )
}

pub(crate) const fn read_scope(kind: ResourceKind) -> Scope {
    match kind {
        ResourceKind::User => Scope::UsersRead,
        ResourceKind::Group => Scope::GroupsRead,
    }
}

/// Checks that the caller may do what a scope covers, and lends the tenant's directory.
pub(crate) fn permitted<'v>(
    now_ms: u64,
    view: &'v View,
    caller: &Caller,
    scope: Scope,
) -> Result<&'v TenantView, Refusal> {
    let tenant = view.tenant(&caller.tenant).ok_or(Refusal::Unauthorized)?;
    let credential = live_credential(&tenant.registry, now_ms, &caller.credential)?;
    covers(&tenant.registry, now_ms, credential, scope)?;
    Ok(tenant)
}

/// What the caller wants to be shown. It is read before an act, so that a query that is refused has
/// changed nothing.
pub(crate) fn projection<D: Directory>(
    directory: &D,
    request: Request<'_>,
    kind: ResourceKind,
) -> Result<Projection, Refusal> {
    let of = directory.catalogue().of(kind);
    ListQuery::parse_projection(request.query, of).map_err(Refusal::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_in_utf_8_or_says_nothing() {
        let says = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
            is_json(&headers)
        };
        assert!(is_json(&HeaderMap::new()));
        let mut zipped = HeaderMap::new();
        zipped.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(!is_json(&zipped));
        for value in [
            "application/scim+json",
            "Application/JSON; charset=utf-8",
            "application/json;charset=\"UTF-8\";odata=minimal",
        ] {
            assert!(says(value), "{value}");
        }
        for value in [
            "text/plain",
            "application/xml",
            "application/jsonp",
            "application/json; charset=utf-16",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!says(value), "{value}");
        }
    }
}
