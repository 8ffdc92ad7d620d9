//! The form of case files and of identity providers' sequences. What it does not know is an error, so
//! that a misspelt expectation cannot pass for one that holds.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

/// One file of cases: one area of SCIM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CaseFile {
    /// What the cases have in common.
    pub area: String,
    /// The cases; they share nothing, so their order does not matter.
    pub cases: Vec<Case>,
}

/// One sentence of an RFC, tried.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Case {
    /// What the service does, as a sentence.
    pub name: String,
    /// The number of the RFC.
    pub rfc: u16,
    /// The section that the quotation stands in.
    pub section: String,
    /// The words that are tried.
    pub quote: String,
    /// Users that are there before the first step: a name for their ids, and what differs from the
    /// smallest user.
    #[serde(default)]
    pub users: BTreeMap<String, Map<String, Value>>,
    /// Groups that are there before the first step.
    #[serde(default)]
    pub groups: BTreeMap<String, Map<String, Value>>,
    /// The requests and what must come of them.
    pub steps: Vec<Step>,
}

/// The requests of one identity provider, in the order in which it sends them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Provider {
    /// Its name in tables.
    pub provider: String,
    /// What the bodies were taken from.
    pub sources: String,
    /// How sure it is that it sends this; a step may say otherwise.
    pub confidence: Confidence,
    /// The version of TLS that it speaks.
    pub tls: TlsVersion,
    /// Headers of every request.
    pub headers: BTreeMap<String, String>,
    /// The requests.
    pub steps: Vec<Step>,
}

/// How sure it is that a provider sends a request so.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Confidence {
    /// The provider's documentation shows it.
    Documented,
    /// The client's public source makes it.
    Source,
    /// Others have recorded and published it.
    Recorded,
    /// Made after what is known of the provider.
    Modelled,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V13,
}

/// What an identity provider is about.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// The button "test connection".
    Connect,
    /// Looking for somebody before making them.
    MatchUser,
    /// A new account.
    CreateUser,
    /// Taking over an account that is there.
    AdoptUser,
    /// Another profile.
    UpdateUser,
    /// Another userName or address.
    RenameUser,
    /// The end of an account's use.
    Deactivate,
    /// The account may be used again.
    Reactivate,
    /// Looking for a group before making it.
    MatchGroup,
    /// A new group.
    CreateGroup,
    /// Another name of a group.
    RenameGroup,
    /// Members that join.
    AddMembers,
    /// Members that leave.
    RemoveMembers,
    /// The whole set of members at once.
    ReplaceMembers,
    /// The end of a group.
    DeleteGroup,
    /// The end of an account.
    DeleteUser,
    /// An account of the same name after that.
    RecreateUser,
    /// No request of the provider's: a look at what its requests have led to.
    Check,
}

impl Operation {
    /// Everything that a provider may send, in the order of a life.
    pub const SENT: [Self; 17] = [
        Self::Connect,
        Self::MatchUser,
        Self::CreateUser,
        Self::AdoptUser,
        Self::UpdateUser,
        Self::RenameUser,
        Self::Deactivate,
        Self::Reactivate,
        Self::MatchGroup,
        Self::CreateGroup,
        Self::RenameGroup,
        Self::AddMembers,
        Self::RemoveMembers,
        Self::ReplaceMembers,
        Self::DeleteGroup,
        Self::DeleteUser,
        Self::RecreateUser,
    ];

    /// The name in tables.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Connect => "test connection",
            Self::MatchUser => "match user",
            Self::CreateUser => "create user",
            Self::AdoptUser => "adopt user",
            Self::UpdateUser => "update profile",
            Self::RenameUser => "rename user",
            Self::Deactivate => "deactivate",
            Self::Reactivate => "reactivate",
            Self::MatchGroup => "match group",
            Self::CreateGroup => "create group",
            Self::RenameGroup => "rename group",
            Self::AddMembers => "add members",
            Self::RemoveMembers => "remove members",
            Self::ReplaceMembers => "replace members",
            Self::DeleteGroup => "delete group",
            Self::DeleteUser => "delete user",
            Self::RecreateUser => "re-create user",
            Self::Check => "check",
        }
    }
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub enum Speaker {
    /// The tenant's identity provider.
    #[default]
    Owner,
    /// The same tenant's token that may only read.
    Reader,
    /// Another tenant's identity provider.
    Neighbour,
    /// The tenant's token at the other tenant's path.
    Intruder,
    /// Nobody: no credential but what the step's headers say.
    Nobody,
}

/// One request and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Step {
    /// Method and path below the SCIM base, percent-encoded.
    pub send: String,
    /// What a provider is about; cases have none.
    pub operation: Option<Operation>,
    /// How sure it is that the provider sends this.
    pub confidence: Option<Confidence>,
    /// Who sends it.
    #[serde(default, rename = "as")]
    pub speaker: Speaker,
    /// Query parameters, not encoded yet.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, as JSON.
    pub body: Option<Value>,
    /// The body, byte for byte, where JSON would not do.
    pub raw: Option<String>,
    /// The body in hexadecimal digits, where it is no text.
    pub hex: Option<String>,
    /// The status.
    pub status: u16,
    /// The `scimType` of an error; without it the error must have none.
    pub scim_type: Option<String>,
    /// What an error's `detail` contains.
    #[serde(default)]
    pub detail: Vec<String>,
    /// Values by JSON pointer.
    #[serde(default)]
    pub equals: BTreeMap<String, Value>,
    /// Values that must be there and be others.
    #[serde(default)]
    pub differs: BTreeMap<String, Value>,
    /// Parts of texts, or members of lists.
    #[serde(default)]
    pub contains: BTreeMap<String, Value>,
    /// Parts of texts, or members of lists, that must not be there.
    #[serde(default)]
    pub lacks: BTreeMap<String, Value>,
    /// Pointers under which something stands.
    #[serde(default)]
    pub present: Vec<String>,
    /// Pointers under which nothing stands.
    #[serde(default)]
    pub absent: Vec<String>,
    /// Lengths of lists.
    #[serde(default)]
    pub length: BTreeMap<String, usize>,
    /// Headers of the answer; a value of `*` stands for any, one of `-` for none, and `~text` for any that
    /// contains the text.
    #[serde(default)]
    pub answer_headers: BTreeMap<String, String>,
    /// Variables for later steps: a JSON pointer, `header:name`, or nothing for the whole body.
    #[serde(default)]
    pub capture: BTreeMap<String, String>,
}

impl CaseFile {
    /// Reads a file of cases.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(path: &Path) -> Result<Self, String> {
        Self::parse(&text(path)?).map_err(|fault| format!("{}: {fault}", path.display()))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let file: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        sentence("the area", &file.area)?;
        if file.cases.is_empty() {
            return Err("no case".to_owned());
        }
        for case in &file.cases {
            case.check()
                .map_err(|fault| format!("case \"{}\": {fault}", case.name))?;
        }
        Ok(file)
    }
}

impl Case {
    fn check(&self) -> Result<(), String> {
        sentence("the name", &self.name)?;
        sentence("the quotation", &self.quote)?;
        if ![7643, 7644, 8265, 9110, 9865].contains(&self.rfc) {
            return Err(format!("RFC {} is none that SCIM is made of", self.rfc));
        }
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !self.section.split('.').all(digits) {
            return Err(format!("`{}` is no section", self.section));
        }
        if self.steps.is_empty() {
            return Err("it has no step".to_owned());
        }
        for step in &self.steps {
            if step.operation.is_some() || step.confidence.is_some() {
                return Err("only providers' steps have an operation".to_owned());
            }
            step.check()?;
        }
        Ok(())
    }
}

impl Provider {
    /// Reads the sequence of a provider.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(path: &Path) -> Result<Self, String> {
        Self::parse(&text(path)?).map_err(|fault| format!("{}: {fault}", path.display()))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let provider: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        sentence("the sources", &provider.sources)?;
        for step in &provider.steps {
            if step.operation.is_none() {
                return Err(format!("{}: it says no operation", step.send));
            }
            step.check()
                .map_err(|fault| format!("{}: {fault}", step.send))?;
        }
        Ok(provider)
    }
}

impl Step {
    fn check(&self) -> Result<(), String> {
        let Some((method, path)) = self.send.split_once(' ') else {
            return Err(format!("`{}` is no method and path", self.send));
        };
        if !method.bytes().all(|byte| byte.is_ascii_uppercase()) || !path.starts_with('/') {
            return Err(format!("`{}` is no method and path", self.send));
        }
        let bodies = [self.body.is_some(), self.raw.is_some(), self.hex.is_some()];
        if bodies.into_iter().filter(|is_there| *is_there).count() > 1 {
            return Err("a body is one of `body`, `raw` and `hex`".to_owned());
        }
        if !(200..=599).contains(&self.status) {
            return Err(format!("{} is no status", self.status));
        }
        if self.status < 400 && (self.scim_type.is_some() || !self.detail.is_empty()) {
            return Err("only errors have scimType and detail".to_owned());
        }
        Ok(())
    }

    pub(crate) fn method(&self) -> &str {
        self.send.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        self.send.split_once(' ').map_or("", |(_method, path)| path)
    }
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn sentence(what: &str, text: &str) -> Result<(), String> {
    if text.split_whitespace().count() < 2 {
        return Err(format!("{what} is no sentence"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
