//! A small OpenID provider for tests and demonstrations.
//!
//! Zone: dev.
//!
//! # What it is
//!
//! An issuer that a native application can use as it would use a customer's: discovery, the authorization code flow with PKCE, a login
//! page of its own, ID tokens signed with ES256. Everything that it must not forget lies in one folder.
//!
//! | path | what |
//! |---|---|
//! | `GET /.well-known/openid-configuration` | the provider's metadata ([Discovery 1.0](https://openid.net/specs/openid-connect-discovery-1_0.html)) |
//! | `GET /jwks.json` | the keys that are published |
//! | `GET`, `POST /authorize` | checks the request and shows the login page ([Core 1.0](https://openid.net/specs/openid-connect-core-1_0.html) section 3.1) |
//! | `POST /login` | takes the login page's form and leads back with a code |
//! | `POST /token` | gives an ID token for a code that is at most 60 s old, once |
//!
//! The one client is public and native: it has no secret, it must use PKCE with S256 (RFC 7636), and its redirect address is on a loopback
//! address of any port (RFC 8252 section 7.3). Answers carry `iss` (RFC 9207). A request without `nonce` is taken, and its token has none.
//!
//! # What it is not
//!
//! Never shipped, and no identity provider: passwords lie in a file, anybody may be let in with one password, and a control port makes it
//! sign nonsense on request, so that refusals can be tested. There is no session: every authorization is a login. There is no
//! refresh, no client secret, and no UserInfo; the access token opens nothing. **It cannot sign with RS256**, which Discovery wants
//! of every provider: `ring`, which makes its keys, makes none for RSA. Whoever needs to see RS256 tests with another provider.
//!
//! # The folder
//!
//! | file | what |
//! |---|---|
//! | `ca.key`, `ca.pem` | the authority that signs the server's certificate; clients trust `ca.pem` |
//! | `keys.json` | the signing keys and which of them is active |
//! | `port` | the port that was taken at the first start: it is part of the issuer's name |
//! | `tenant` | the value of the `tid` claim |
//! | `accounts.json` | who may log in: `{"version":1,"any_user_password":null,"accounts":[{"user_name","password","sub","email"}]}`, `oid` optional (else `sub`); not written here |
//!
//! # Control
//!
//! With [`Config::control`], a second port on loopback answers plain HTTP below a path that only its address tells. Bodies are JSON.
//!
//! | call | effect |
//! |---|---|
//! | `GET keys` | `{"active":kid,"published":[kid]}`; all calls about keys answer so |
//! | `POST keys/add` | publishes a new key, which signs nothing yet |
//! | `POST keys/activate` `{"kid"}` | signs with a published key from now on |
//! | `POST keys/drop` | takes back every key but the active one |
//! | `POST spoil` `{"how","count"}` | the next `count` tokens are wrong in one way, see [`Spoil`]; 0 ends it |
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use chancery_issuer::{Config, Error, login, start};
//!
//! async fn sign_in(folder: &std::path::Path, authorization_url: &str) -> Result<String, Error> {
//!     let mut config = Config::new(folder, Arc::new(|| 1_700_000_000));
//!     config.any_user_password = Some("letmein".to_owned());
//!     let issuer = start(config).await?;
//!     let redirect = login(issuer.ca_pem(), authorization_url, "ada", "letmein").await?;
//!     issuer.stop().await;
//!     Ok(redirect)
//! }
//! ```

#![forbid(unsafe_code)]

mod accounts;
mod authorize;
mod browser;
mod control;
mod error;
mod folder;
mod form;
mod grants;
mod http;
mod issuer;
mod keys;
mod page;
mod provider;
mod server;
mod tls;
mod token;

pub use crate::accounts::Account;
pub use crate::browser::{Browser, Reply, login};
pub use crate::error::Error;
pub use crate::form::{Form, encode_form};
pub use crate::issuer::{CLIENT_ID, Clock, Config, Issuer, KeyState, start};
pub use crate::token::Spoil;
