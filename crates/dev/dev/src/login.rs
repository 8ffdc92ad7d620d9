//! `claim --login-as`: a sign-in at the demo's identity provider without a browser, and whose account it is.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use chancery_cli::SignIn;
use chancery_json::{Limits, Object, Value};
use clap::Args;
use hyper::Method;
use tokio::runtime::Builder;

use crate::console::Console;
use crate::error::DevError;
use crate::files;
use crate::http::Target;
use crate::ready::{Ready, scim_base};

/// The folder of the members' homes, in the data folder.
pub(crate) const MEMBERS_FOLDER: &str = "members";

/// Options of `claim` that the shipped command does not have.
#[derive(Clone, Debug, Default, Args)]
pub struct LoginArgs {
    /// Sign in at the demo's identity provider without a browser, as the user with this userName or
    /// externalId; with --claim as exactly this login name
    #[arg(long, value_name = "NAME", requires = "ready_file")]
    pub login_as: Option<String>,
    /// With this password [default: the one that the ready file names]
    #[arg(long, value_name = "TEXT", requires = "login_as")]
    pub password: Option<String>,
}

/// How the person of a claim signs in.
#[derive(Debug)]
pub(crate) enum Login {
    /// In a browser, as with the shipped command.
    ByBrowser,
    /// Here, as somebody whose password is known.
    As {
        /// The user name.
        user_name: String,
        /// The password.
        password: String,
        /// The authority of the provider's certificate.
        ca_pem: String,
    },
}

impl Login {
    /// What the options ask for; the ready file says whom to trust, and the password where none is given.
    fn new(user_name: String, password: Option<&String>, ready: &Ready) -> Result<Self, DevError> {
        let password = password.or(ready.issuer.password.as_ref()).cloned();
        let password = password.ok_or(DevError::Value {
            option: "--password",
            allowed: "given, because this issuer lets nobody in with one password",
        })?;
        let ca_pem = files::read(&ready.issuer.ca_file)?;
        Ok(Self::As {
            user_name,
            password,
            ca_pem: String::from_utf8_lossy(&ca_pem).into_owned(),
        })
    }
}

impl SignIn for Login {
    async fn authorize(&self, url: &str) -> Result<Option<String>, String> {
        match self {
            Self::ByBrowser => Ok(None),
            Self::As {
                user_name,
                password,
                ca_pem,
            } => chancery_issuer::login(ca_pem, url, user_name, password)
                .await
                .map(Some)
                .map_err(|error| error.to_string()),
        }
    }
}

/// Completes `claim --login-as`: whose account it is, where its keys go, and how the person signs in.
///
/// Anybody but `claim --login-as` gets a browser, and the command as it was.
pub(crate) fn complete(
    command: &mut chancery_cli::Command,
    args: &LoginArgs,
    console: &Console,
) -> Result<Login, DevError> {
    let (chancery_cli::Command::Claim(claim), Some(name)) = (command, &args.login_as) else {
        return Ok(Login::ByBrowser);
    };
    let Some(ready_file) = claim.member.context.ready_file.clone() else {
        return Ok(Login::ByBrowser);
    };
    let ready = Ready::read(&ready_file)?;
    let (login_name, user) = if claim.claim.is_empty() {
        let found = find(&ready, name)?;
        claim.claim.clone_from(&found.id);
        let login_name = found.external_id.ok_or_else(|| DevError::NoExternalId {
            user: found.user_name.clone(),
        })?;
        console.text(&format!(
            "{} is claim {}; signing in as its externalId {}.",
            found.user_name.escape_debug(),
            found.id.escape_debug(),
            login_name.escape_debug()
        ));
        (login_name, found.user_name)
    } else {
        (name.clone(), name.clone())
    };
    if claim.member.home.is_none() {
        let home = home(&ready.data_folder, &user);
        console.text(&format!("The keys go to {}.", home.display()));
        claim.member.home = Some(home);
    }
    Login::new(login_name, args.password.as_ref(), &ready)
}

/// The folder of one member's keys, so that several people can be played on one machine.
fn home(data_folder: &Path, name: &str) -> PathBuf {
    let mut folder = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"@_+-".contains(&byte) {
            folder.push(char::from(byte));
        } else if byte == b'.' && !folder.is_empty() {
            folder.push('.');
        } else {
            // Nothing that leads out of the folder, or that two names could share.
            folder.push_str(&format!("%{byte:02x}"));
        }
    }
    data_folder.join(MEMBERS_FOLDER).join(folder)
}

/// A user as SCIM shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    id: String,
    user_name: String,
    external_id: Option<String>,
}

/// The one user with this userName, or else with this externalId.
fn find(ready: &Ready, name: &str) -> Result<Found, DevError> {
    let tenant = ready.tenant.as_ref().ok_or(DevError::Value {
        option: "--ready-file",
        allowed: "of an `up` that made a tenant, unless --claim is given",
    })?;
    let base = scim_base(&ready.base, &tenant.slug);
    let target = Target::new(&base, &tenant.scim_token, &ready.ca_file)?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DevError::System)?;
    runtime.block_on(async {
        let mut connection = target.connect().await?;
        for attribute in ["userName", "externalId"] {
            let path = search(attribute, name);
            let reply = connection.send(Method::GET, &path, Bytes::new()).await?;
            let step = "looking the user up";
            if reply.status != 200 {
                return Err(DevError::Load(format!(
                    "{step} was answered with status {}",
                    reply.status
                )));
            }
            let mut users = users(&reply.body).ok_or(DevError::ApiAnswer { step })?;
            match (users.pop(), users.is_empty()) {
                (None, _) => {}
                (Some(user), true) => return Ok(user),
                (Some(_), false) => {
                    return Err(DevError::Value {
                        option: "--login-as",
                        allowed: "a userName, because several users have this externalId",
                    });
                }
            }
        }
        Err(DevError::NoUser {
            name: name.to_owned(),
        })
    })
}

/// A search with the filter encoded, whatever the name holds.
fn search(attribute: &str, name: &str) -> String {
    let quoted = String::from_utf8_lossy(&Value::from(name).to_bytes()).into_owned();
    let filter = format!("{attribute} eq {quoted}");
    let query = chancery_issuer::encode_form(&[("filter", &filter), ("count", "2")]);
    format!("/Users?{query}")
}

fn users(body: &[u8]) -> Option<Vec<Found>> {
    let list = Value::parse(body, &Limits::DOCUMENT).ok()?;
    let list = list.as_object()?;
    let resources = match list.get("Resources") {
        Some(resources) => resources.as_array()?,
        None => &[],
    };
    let user = |user: &Object| {
        let text = |name: &str| user.get(name)?.as_str().map(str::to_owned);
        Some(Found {
            id: text("id")?,
            user_name: text("userName")?,
            external_id: text("externalId"),
        })
    };
    resources
        .iter()
        .map(|resource| user(resource.as_object()?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};

    /// A ready file whose issuer has an authority, and the folder that it lies in.
    fn prepared(change: impl FnOnce(&mut Ready)) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (path, ca_file) = (folder.path().join("r.json"), folder.path().join("ca.pem"));
        std::fs::write(&ca_file, "pem").unwrap();
        let mut ready = crate::ready::tests::ready();
        ready.issuer.ca_file = ca_file;
        change(&mut ready);
        std::fs::write(&path, ready.to_json()).unwrap();
        (folder, path)
    }

    fn completed(line: &str, ready: &Path) -> (chancery_cli::Command, Result<Login, DevError>) {
        let line = format!("chancery-dev claim {line} --ready-file {}", ready.display());
        let words = line.split_whitespace().map(std::ffi::OsString::from);
        let (cli, login): (Cli, LoginArgs) = crate::parse(words.collect::<Vec<_>>()).unwrap();
        let Command::Shared(mut command) = cli.command else {
            panic!("another command");
        };
        let result = complete(&mut command, &login, &Console::new(true));
        (command, result)
    }

    #[tokio::test]
    async fn leaves_the_sign_in_to_a_browser_unless_it_is_told_as_whom() {
        let (_folder, path) = prepared(|_ready| ());
        let (command, login) = completed("--claim x", &path);
        let chancery_cli::Command::Claim(claim) = command else {
            panic!("another command");
        };
        assert_eq!((claim.claim.as_str(), claim.member.home), ("x", None));
        let login = login.unwrap();
        assert!(matches!(login, Login::ByBrowser));
        assert_eq!(login.authorize("https://x").await, Ok(None));
    }

    #[test]
    fn takes_authority_and_password_from_the_ready_file_and_a_home_for_each_member() {
        let (_folder, path) = prepared(|_ready| ());
        for (given, taken) in [("", "p"), ("--password q", "q")] {
            let (command, login) = completed(&format!("--claim x --login-as a.b {given}"), &path);
            let Login::As {
                user_name,
                password,
                ca_pem,
            } = login.unwrap()
            else {
                panic!("no login");
            };
            let told = (user_name.as_str(), password.as_str(), ca_pem.as_str());
            assert_eq!(told, ("a.b", taken, "pem"));
            let chancery_cli::Command::Claim(claim) = command else {
                panic!("another command");
            };
            assert_eq!(claim.member.home, Some("/d/members/a.b".into()));
        }
        let (command, _) = completed("--claim x --login-as a --home h", &path);
        assert!(
            matches!(command, chancery_cli::Command::Claim(claim) if claim.member.home == Some("h".into()))
        );
    }

    #[test]
    fn without_a_password_for_everybody_one_must_be_given() {
        let (_folder, path) = prepared(|ready| ready.issuer.password = None);
        let (_, login) = completed("--claim x --login-as ada", &path);
        let option = match login {
            Err(DevError::Value { option, .. }) => option,
            other => panic!("{other:?}"),
        };
        assert_eq!(option, "--password");
    }

    #[test]
    fn without_a_tenant_nobody_can_be_looked_up() {
        let (_folder, path) = prepared(|ready| ready.tenant = None);
        let (_, login) = completed("--login-as ada", &path);
        assert!(matches!(
            login,
            Err(DevError::Value {
                option: "--ready-file",
                ..
            })
        ));
    }

    #[test]
    fn homes_of_two_names_are_two_folders_inside_the_data_folder() {
        let name = |name| home(Path::new("/d"), name);
        assert_eq!(name("ada@x.example"), Path::new("/d/members/ada@x.example"));
        assert_eq!(name("../a"), Path::new("/d/members/%2e.%2fa"));
        assert_eq!(name("."), Path::new("/d/members/%2e"));
        assert_ne!(name("a/b"), name("a%2fb"));
    }

    #[test]
    fn a_search_holds_whatever_the_name_holds() {
        assert_eq!(
            search("userName", "a+b \"c\""),
            "/Users?filter=userName%20eq%20%22a%2Bb%20%5C%22c%5C%22%22&count=2"
        );
    }

    #[test]
    fn reads_who_was_found() {
        let one = br#"{"totalResults":1,"Resources":[{"id":"i","userName":"u","externalId":"e"}]}"#;
        let found = users(one).unwrap();
        assert_eq!(found[0].external_id.as_deref(), Some("e"));
        assert_eq!(users(br#"{"totalResults":0}"#), Some(Vec::new()));
        let without = br#"{"Resources":[{"id":"i","userName":"u"}]}"#;
        assert_eq!(users(without).unwrap()[0].external_id, None);
        assert_eq!(users(br#"{"Resources":[{"id":"i"}]}"#), None);
        assert_eq!(users(b"x"), None);
    }

    #[tokio::test]
    async fn says_why_nobody_could_be_signed_in() {
        let login = Login::As {
            user_name: "ada".to_owned(),
            password: "p".to_owned(),
            ca_pem: String::new(),
        };
        assert!(
            login
                .authorize("https://localhost:1/authorize")
                .await
                .is_err()
        );
    }
}
