//! `claim --login-as`: a sign-in at the demo's identity provider without a browser.

use std::path::Path;

use chancery_cli::SignIn;
use clap::Args;

use crate::error::DevError;
use crate::files;
use crate::ready::Ready;

/// Options of `claim` that the shipped command does not have.
#[derive(Clone, Debug, Default, Args)]
pub struct LoginArgs {
    /// Sign in at the demo's identity provider as this user, without a browser
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
    pub(crate) fn new(args: &LoginArgs, ready_file: Option<&Path>) -> Result<Self, DevError> {
        let (Some(user_name), Some(ready_file)) = (&args.login_as, ready_file) else {
            return Ok(Self::ByBrowser);
        };
        let ready = Ready::read(ready_file)?;
        let known = ready.issuer.password.clone();
        let password = args.password.clone().or(known);
        let password = password.ok_or(DevError::Value {
            option: "--password",
            allowed: "given, because this issuer lets nobody in with one password",
        })?;
        let ca_pem = files::read(&ready.issuer.ca_file)?;
        Ok(Self::As {
            user_name: user_name.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn args(password: Option<&str>) -> LoginArgs {
        LoginArgs {
            login_as: Some("ada".to_owned()),
            password: password.map(str::to_owned),
        }
    }

    #[tokio::test]
    async fn leaves_the_sign_in_to_a_browser_unless_it_is_told_as_whom() {
        let login = Login::new(&LoginArgs::default(), Some(Path::new("r.json"))).unwrap();
        assert!(matches!(login, Login::ByBrowser));
        assert_eq!(login.authorize("https://x").await, Ok(None));
    }

    #[test]
    fn takes_authority_and_password_from_the_ready_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, ca_file) = (folder.path().join("r.json"), folder.path().join("ca.pem"));
        std::fs::write(&ca_file, "pem").unwrap();
        let mut ready = crate::ready::tests::ready();
        ready.issuer.ca_file = ca_file;
        std::fs::write(&path, ready.to_json()).unwrap();
        for (given, taken) in [(None, "p"), (Some("q"), "q")] {
            let login = Login::new(&args(given), Some(&path)).unwrap();
            let Login::As {
                password, ca_pem, ..
            } = login
            else {
                panic!("{login:?}");
            };
            assert_eq!((password.as_str(), ca_pem.as_str()), (taken, "pem"));
        }
        ready.issuer.password = None;
        std::fs::write(&path, ready.to_json()).unwrap();
        assert!(matches!(
            Login::new(&args(None), Some(&path)),
            Err(DevError::Value {
                option: "--password",
                ..
            })
        ));
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
