//! The control port: what a test tells the issuer to do wrong, or to change.

use std::sync::Arc;

use chancery_json::{Fields, Limits, Object, Value};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use crate::error::Error;
use crate::http::{Answered, body, json, text};
use crate::provider::{Provider, fault, lock};
use crate::server::Answer;
use crate::token::{Spoil, Spoiling};

/// Most tokens that one call spoils.
const SPOILED_MAX: u64 = 1_000_000;

/// The control port of a provider.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) provider: Arc<Provider>,
    /// `/` and the random part of the path: who does not know it can do nothing, such as a web page in a browser on this machine.
    pub(crate) prefix: Arc<str>,
}

impl Answer for Control {
    async fn answer(&self, request: Request<Incoming>) -> Answered {
        let path = request.uri().path().to_owned();
        let path = path.strip_prefix(&*self.prefix);
        let Some(path) = path.and_then(|path| path.strip_prefix('/')) else {
            return text(StatusCode::NOT_FOUND, "no such path\n");
        };
        let method = request.method().clone();
        let bytes = match body(request.into_body()).await {
            Ok(bytes) => bytes,
            Err(refused) => return refused,
        };
        let done = match (path, method) {
            ("keys", Method::GET) => Ok(()),
            ("keys/add", Method::POST) => {
                let mut keys = lock(&self.provider.keys);
                keys.add(&self.provider.random).map(drop)
            }
            ("keys/activate", Method::POST) => match kid(&bytes) {
                Some(kid) => lock(&self.provider.keys).activate(&kid),
                None => return unreadable(),
            },
            ("keys/drop", Method::POST) => lock(&self.provider.keys).drop_others(),
            ("spoil", Method::POST) => {
                let Some(spoiling) = spoiling(&bytes) else {
                    return unreadable();
                };
                *lock(&self.provider.spoiling) = spoiling;
                Ok(())
            }
            _ => return text(StatusCode::NOT_FOUND, "no such call\n"),
        };
        match done.and_then(|()| self.keys()) {
            Ok(keys) => json(StatusCode::OK, &keys),
            Err(Error::Key) => text(StatusCode::CONFLICT, "no such key, or no place\n"),
            Err(error) => fault(&error),
        }
    }
}

impl Control {
    fn keys(&self) -> Result<Object, Error> {
        let keys = lock(&self.provider.keys);
        let published: Vec<Value> = keys.published().into_iter().map(Value::from).collect();
        Ok(Object::new()
            .with("active", keys.active()?.kid())
            .with("published", published))
    }
}

fn unreadable() -> Answered {
    text(StatusCode::BAD_REQUEST, "not the body of this call\n")
}

fn kid(bytes: &[u8]) -> Option<String> {
    let mut fields = Fields::parse(bytes, &Limits::DOCUMENT).ok()?;
    let kid = fields.take_str("kid").ok()?;
    fields.finish().ok()?;
    Some(kid)
}

fn spoiling(bytes: &[u8]) -> Option<Spoiling> {
    let mut fields = Fields::parse(bytes, &Limits::DOCUMENT).ok()?;
    let how = Spoil::parse(&fields.take_str("how").ok()?)?;
    let count = fields.take_u64("count").ok()?;
    fields.finish().ok()?;
    let count = u32::try_from(count).ok()?;
    (u64::from(count) <= SPOILED_MAX).then(|| Spoiling::new(how, count))
}
