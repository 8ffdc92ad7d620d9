//! Who may log in.

use std::collections::BTreeMap;
use std::path::Path;

use chancery_json::{Element, Fields, Limits, Value};
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use crate::error::Error;
use crate::folder;

/// Most accounts: a large test tenant.
const ACCOUNTS_MAX: usize = 4096;
/// Longest user name of somebody without an account, in bytes.
const USER_NAME_SIZE_MAX: usize = 256;
/// The domain of the addresses of people without an account.
const ANY_DOMAIN: &str = "demo.example";

/// Somebody who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the accounts file names every member"
)]
pub struct Account {
    /// What is typed at the login page.
    pub user_name: String,
    /// The password, as it is: these are no real people.
    pub password: String,
    /// The `sub` claim.
    pub sub: String,
    /// The `email` claim.
    pub email: String,
    /// The `oid` claim.
    pub oid: String,
}

/// All who may log in.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    accounts: BTreeMap<String, Account>,
    any_user_password: Option<String>,
}

impl Accounts {
    /// Reads the accounts file, if there is one, and adds others.
    pub(crate) fn read(
        path: &Path,
        added: Vec<Account>,
        any_user_password: Option<String>,
    ) -> Result<Self, Error> {
        let (mut all, any) = match folder::read_if_there(path)? {
            Some(bytes) => Self::parse(&bytes).map_err(|reason| folder::document(path, &reason))?,
            None => (Vec::new(), None),
        };
        all.extend(added);
        let mut accounts = BTreeMap::new();
        for account in all {
            let before = accounts.insert(account.user_name.clone(), account);
            if before.is_some() || accounts.len() > ACCOUNTS_MAX {
                return Err(Error::Accounts);
            }
        }
        Ok(Self {
            accounts,
            any_user_password: any_user_password.or(any),
        })
    }

    fn parse(bytes: &[u8]) -> Result<(Vec<Account>, Option<String>), String> {
        let mut fields = Fields::parse(bytes, &Limits::DOCUMENT).map_err(told)?;
        if fields.take_u64("version").map_err(told)? != 1 {
            return Err("version must be 1".to_owned());
        }
        let any = fields.take_optional("any_user_password");
        let any = match any.map(Element::into_value) {
            None | Some(Value::Null) => None,
            Some(Value::String(password)) => Some(password),
            Some(_) => return Err("any_user_password must be a text or null".to_owned()),
        };
        let elements = fields.take_array("accounts").map_err(told)?;
        let accounts = elements.into_iter().map(account).collect::<Result<_, _>>();
        fields.finish().map_err(told)?;
        Ok((accounts.map_err(told)?, any))
    }

    /// Whether everybody is let in with one password.
    pub(crate) const fn anybody(&self) -> bool {
        self.any_user_password.is_some()
    }

    /// The account, if the password is its own, or anybody's.
    pub(crate) fn log_in(&self, user_name: &str, password: &str) -> Option<Account> {
        if let Some(account) = self.accounts.get(user_name) {
            return same(&account.password, password).then(|| account.clone());
        }
        let any = self.any_user_password.as_ref()?;
        let is_name = !user_name.is_empty()
            && user_name.len() <= USER_NAME_SIZE_MAX
            && !user_name.contains(char::is_control);
        (is_name && same(any, password)).then(|| Account {
            user_name: user_name.to_owned(),
            password: String::new(),
            sub: user_name.to_owned(),
            email: if user_name.contains('@') {
                user_name.to_owned()
            } else {
                format!("{user_name}@{ANY_DOMAIN}")
            },
            oid: user_name.to_owned(),
        })
    }
}

fn account(element: Element) -> Result<Account, chancery_json::Error> {
    let mut fields = element.into_fields()?;
    let sub = fields.take_str("sub")?;
    let oid = fields.take_optional("oid").map(Element::into_str);
    let account = Account {
        user_name: fields.take_str("user_name")?,
        password: fields.take_str("password")?,
        email: fields.take_str("email")?,
        oid: oid.transpose()?.unwrap_or_else(|| sub.clone()),
        sub,
    };
    fields.finish()?;
    Ok(account)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it maps the errors of results"
)]
fn told(error: chancery_json::Error) -> String {
    error.describe()
}

/// Compares digests, so that time tells nothing about the texts.
fn same(left: &str, right: &str) -> bool {
    let of = |text: &str| digest(&SHA256, text.as_bytes());
    of(left).as_ref().ct_eq(of(right).as_ref()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = concat!(
        r#"{"version":1,"any_user_password":"open","accounts":["#,
        r#"{"user_name":"ada","password":"p","sub":"00u1","email":"ada@demo.example"},"#,
        r#"{"user_name":"bob","password":"q","sub":"00u2","email":"b@x.example","oid":"o"}]}"#
    );

    fn read(text: &str, added: Vec<Account>) -> Result<Accounts, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.json");
        std::fs::write(&path, text).unwrap();
        Accounts::read(&path, added, None)
    }

    #[test]
    fn lets_in_by_the_right_password_alone() {
        let accounts = read(FILE, Vec::new()).unwrap();
        let ada = accounts.log_in("ada", "p").unwrap();
        assert_eq!((ada.sub.as_str(), ada.oid.as_str()), ("00u1", "00u1"));
        assert_eq!(accounts.log_in("bob", "q").unwrap().oid, "o");
        for (name, password) in [("ada", "q"), ("ada", ""), ("bob", "p"), ("eve", "p")] {
            assert_eq!(accounts.log_in(name, password), None, "{name} {password}");
        }
    }

    #[test]
    fn anybodys_password_opens_no_account_and_is_off_unless_set() {
        let accounts = read(FILE, Vec::new()).unwrap();
        assert!(accounts.anybody());
        assert_eq!(accounts.log_in("ada", "open"), None);
        let eve = accounts.log_in("eve", "open").unwrap();
        assert_eq!((eve.sub.as_str(), eve.oid.as_str()), ("eve", "eve"));
        assert_eq!(eve.email, "eve@demo.example");
        assert_eq!(accounts.log_in("e@x.y", "open").unwrap().email, "e@x.y");
        assert_eq!(accounts.log_in("", "open"), None);
        assert_eq!(accounts.log_in("a\nb", "open"), None);
        assert_eq!(accounts.log_in(&"x".repeat(257), "open"), None);
        let closed = FILE.replace("\"open\"", "null");
        let closed = read(&closed, Vec::new()).unwrap();
        assert!(!closed.anybody());
        assert_eq!(closed.log_in("eve", "open"), None);
    }

    #[test]
    fn refuses_files_that_are_not_exactly_so_and_doubles() {
        let ada = read(FILE, Vec::new()).unwrap().log_in("ada", "p").unwrap();
        assert!(matches!(read(FILE, vec![ada]), Err(Error::Accounts)));
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("\"sub\"", "\"subject\""),
            ("\"p\"", "1"),
            ("\"accounts\"", "\"people\""),
            ("\"open\"", "7"),
        ] {
            let spoiled = FILE.replacen(from, to, 1);
            assert_ne!(spoiled, FILE);
            let result = read(&spoiled, Vec::new());
            assert!(matches!(result, Err(Error::Document { .. })), "{spoiled}");
        }
    }
}
