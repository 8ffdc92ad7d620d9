//! The issuer as a whole: started, told what to do, ended.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chancery_json::Object;
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls_pki_types::CertificateDer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::accounts::{Account, Accounts};
use crate::control::Control;
use crate::error::Error;
use crate::folder;
use crate::grants::{Grants, token};
use crate::keys::Keyring;
use crate::provider::{Provider, lock};
use crate::server::serve;
use crate::tls::certificates;
use crate::token::{Spoil, Spoiling};

/// The client id unless another is chosen.
pub const CLIENT_ID: &str = "chancery-member";

/// First port that is tried for a new data folder, and how many follow it. They lie below those that systems give to outgoing
/// connections, one of which could otherwise hold the port when the issuer is started again.
const PORT_FIRST: u16 = 20_000;
const PORTS: u16 = 12_000;
/// How many of them are tried.
const PORT_ATTEMPTS_MAX: u32 = 64;

/// Tells the time in seconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What an issuer needs to know to start.
#[derive(Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "every choice is the caller's to see"
)]
pub struct Config {
    /// The data folder; made if it is absent.
    pub data: PathBuf,
    /// Where to listen, on loopback. Port 0 takes the port that the folder was first used with, or a free one.
    pub listen: SocketAddr,
    /// The one client.
    pub client_id: String,
    /// Accounts beside those in the folder.
    pub accounts: Vec<Account>,
    /// Lets everybody without an account log in with this password and their user name as `sub`.
    pub any_user_password: Option<String>,
    /// Whether there is a control port.
    pub control: bool,
    /// The clock.
    pub clock: Clock,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("data", &self.data)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// The usual choices: the folder's own port, [`CLIENT_ID`], the folder's accounts alone, no control port.
    #[must_use]
    pub fn new(data: &Path, clock: Clock) -> Self {
        Self {
            data: data.to_owned(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            client_id: CLIENT_ID.to_owned(),
            accounts: Vec::new(),
            any_user_password: None,
            control: false,
            clock,
        }
    }
}

/// The signing keys, by their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyState {
    /// The one that signs.
    pub active: String,
    /// All that are published.
    pub published: Vec<String>,
}

/// An issuer that runs. Dropped, it ends by itself soon; [`Issuer::stop`] waits for the end.
pub struct Issuer {
    provider: Arc<Provider>,
    address: SocketAddr,
    authority: CertificateDer<'static>,
    authority_pem: String,
    ca_file: PathBuf,
    control: Option<String>,
    stop: watch::Sender<()>,
    tasks: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Opens the data folder, listens and serves, on the tokio runtime of the caller.
///
/// # Errors
/// Any [`Error`] about files, keys, accounts, the port or the certificate; nothing is served then.
pub async fn start(config: Config) -> Result<Issuer, Error> {
    if !config.listen.ip().is_loopback() {
        return Err(Error::NotLoopback);
    }
    folder::make(&config.data)?;
    let random = SystemRandom::new();
    let path = config.data.join("accounts.json");
    let accounts = Accounts::read(&path, config.accounts, config.any_user_password)?;
    let keys = Keyring::open(config.data.join("keys.json"), &random)?;
    let tenant = folder::read_or_make(&config.data.join("tenant"), || new_tenant(&random))?;
    let certificates = certificates(&config.data, (config.clock)())?;
    let listener = listen(config.listen, &config.data.join("port"), &random).await?;
    let address = listener.local_addr().map_err(Error::Listen)?;
    let provider = Arc::new(Provider {
        issuer: format!("https://localhost:{}", address.port()),
        client_id: config.client_id,
        tenant: String::from_utf8_lossy(&tenant).trim().to_owned(),
        clock: config.clock,
        random,
        accounts,
        keys: Mutex::new(keys),
        grants: Mutex::new(Grants::new()),
        spoiling: Mutex::new(Spoiling::default()),
    });
    let (stop, stopped) = watch::channel(());
    let service = Arc::clone(&provider);
    let acceptor = Some(certificates.acceptor);
    let mut tasks = vec![tokio::spawn(serve(
        listener,
        acceptor,
        service,
        stopped.clone(),
    ))];
    let mut control = None;
    if config.control {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(Error::Listen)?;
        let address = listener.local_addr().map_err(Error::Listen)?;
        let prefix = format!("/{}", token(&provider.random)?);
        control = Some(format!("http://{address}{prefix}"));
        let service = Control {
            provider: Arc::clone(&provider),
            prefix: prefix.into(),
        };
        tasks.push(tokio::spawn(serve(listener, None, service, stopped)));
    }
    Ok(Issuer {
        provider,
        address,
        authority: certificates.authority,
        authority_pem: certificates.authority_pem,
        ca_file: config.data.join("ca.pem"),
        control,
        stop,
        tasks,
    })
}

impl Issuer {
    /// The issuer's name, which is also its address: `https://localhost:port`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.provider.issuer
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.provider.client_id
    }

    /// The certificate that clients trust, in DER.
    #[must_use]
    pub fn ca_der(&self) -> &[u8] {
        &self.authority
    }

    /// The same in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.authority_pem
    }

    /// The same as a file.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The control port's address, if there is one.
    #[must_use]
    pub fn control(&self) -> Option<&str> {
        self.control.as_deref()
    }

    /// What the program says when it serves.
    #[must_use]
    pub fn ready(&self) -> Object {
        let control = self.control.as_deref();
        Object::new()
            .with("ready", true)
            .with("issuer", self.url())
            .with("client_id", self.client_id())
            .with("ca_file", self.ca_file.display().to_string())
            .with(
                "control",
                control.map_or(chancery_json::Value::Null, Into::into),
            )
            .with("pid", u64::from(std::process::id()))
    }

    /// The keys as they are.
    ///
    /// # Errors
    /// [`Error::Key`] if there is none, which cannot be.
    pub fn keys(&self) -> Result<KeyState, Error> {
        let keys = lock(&self.provider.keys);
        Ok(KeyState {
            active: keys.active()?.kid().to_owned(),
            published: keys.published(),
        })
    }

    /// Publishes a new key, which signs nothing yet, and gives its id.
    ///
    /// # Errors
    /// [`Error::Key`] if there are too many; [`Error::File`].
    pub fn add_key(&self) -> Result<String, Error> {
        lock(&self.provider.keys).add(&self.provider.random)
    }

    /// Signs with a published key from now on.
    ///
    /// # Errors
    /// [`Error::Key`] if there is none of this id; [`Error::File`].
    pub fn activate_key(&self, kid: &str) -> Result<(), Error> {
        lock(&self.provider.keys).activate(kid)
    }

    /// Takes back every key but the active one.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn drop_old_keys(&self) -> Result<(), Error> {
        lock(&self.provider.keys).drop_others()
    }

    /// Makes the next `count` tokens wrong in one way; 0 ends it.
    pub fn spoil(&self, how: Spoil, count: u32) {
        *lock(&self.provider.spoiling) = Spoiling::new(how, count);
    }

    /// Ends it and waits for requests that are being answered.
    pub async fn stop(self) {
        drop(self.stop);
        for task in self.tasks {
            drop(task.await);
        }
    }
}

/// A random UUID (RFC 9562 section 5.4): the `tid` claim has this form at Entra ID.
fn new_tenant(random: &SystemRandom) -> Result<Vec<u8>, Error> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes)?;
    let number = u128::from_be_bytes(bytes);
    let number = (number & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let mut text = format!("{number:032x}");
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text.push('\n');
    Ok(text.into_bytes())
}

/// Listens where it is told; for port 0 where it listened before, or else on a port that is kept.
async fn listen(
    wanted: SocketAddr,
    path: &Path,
    random: &SystemRandom,
) -> Result<TcpListener, Error> {
    let bind = async |port| TcpListener::bind((wanted.ip(), port)).await;
    if wanted.port() != 0 {
        return bind(wanted.port()).await.map_err(Error::Listen);
    }
    if let Some(bytes) = folder::read_if_there(path)? {
        let text = String::from_utf8_lossy(&bytes);
        let port = text.trim().parse::<u16>().ok().filter(|port| *port != 0);
        let port = port.ok_or_else(|| folder::document(path, "it holds no port"))?;
        return bind(port).await.map_err(Error::Listen);
    }
    let mut attempt = 1_u32;
    loop {
        let mut bytes = [0; 4];
        random.fill(&mut bytes)?;
        let offset = u32::from_be_bytes(bytes) % u32::from(PORTS);
        let port = PORT_FIRST.saturating_add(u16::try_from(offset).unwrap_or(0));
        match bind(port).await {
            Ok(listener) => {
                folder::write(path, format!("{port}\n").as_bytes())?;
                return Ok(listener);
            }
            Err(error) if attempt >= PORT_ATTEMPTS_MAX => return Err(Error::Listen(error)),
            Err(_taken) => attempt = attempt.saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_a_random_uuid() {
        let text = String::from_utf8(new_tenant(&SystemRandom::new()).unwrap()).unwrap();
        let parts: Vec<&str> = text.trim().split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(parts[2].starts_with('4'));
        assert!(parts[3].starts_with(['8', '9', 'a', 'b']));
    }
}
