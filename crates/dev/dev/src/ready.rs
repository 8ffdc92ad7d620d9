//! The ready file: what a client or a test needs to use a running service (design section 3.1).

use std::path::{Path, PathBuf};

use chancery_json::{Error, Fields, Limits, Object, Value};

use crate::error::DevError;
use crate::files;

/// The processes of a running service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pids {
    /// The supervisor.
    pub(crate) up: u32,
    /// The host.
    pub(crate) host: u32,
    /// The runtime.
    pub(crate) runtime: u32,
    /// The emulated secure processor.
    pub(crate) emulated_sp: u32,
    /// The identity provider.
    pub(crate) issuer: u32,
    /// The witnesses, the first one first.
    pub(crate) witnesses: Vec<u32>,
}

/// The identity provider of a running service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadyIssuer {
    /// Its name and address.
    pub(crate) url: String,
    /// Its one client.
    pub(crate) client_id: String,
    /// The certificate that its clients trust, PEM.
    pub(crate) ca_file: PathBuf,
    /// The one password of everybody, if there is one.
    pub(crate) password: Option<String>,
    /// Where a test tells it to change keys or to lie.
    pub(crate) control: String,
}

/// The tenant of a running service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadyTenant {
    /// Its name.
    pub(crate) slug: String,
    /// The SCIM token.
    pub(crate) scim_token: String,
    /// Its admin's folder.
    pub(crate) admin_folder: PathBuf,
}

/// A running service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    /// `https://host:port`.
    pub(crate) base: String,
    /// The demo tenant; without one the members about it are left out.
    pub(crate) tenant: Option<ReadyTenant>,
    /// The certificate to trust, PEM.
    pub(crate) ca_file: PathBuf,
    /// What a client pins.
    pub(crate) deployment_file: PathBuf,
    /// The data folder.
    pub(crate) data_folder: PathBuf,
    /// Where the runtime runs.
    pub(crate) tee: String,
    /// The store's file.
    pub(crate) store: PathBuf,
    /// The identity provider.
    pub(crate) issuer: ReadyIssuer,
    /// The processes.
    pub(crate) pids: Pids,
    /// The host's metrics.
    pub(crate) metrics: String,
}

/// The SCIM base of a tenant.
pub(crate) fn scim_base(base: &str, slug: &str) -> String {
    format!("{base}/t/{slug}/scim/v2")
}

impl Ready {
    /// The file's bytes.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let path = |path: &Path| path.display().to_string();
        let password = self.issuer.password.as_deref();
        let witnesses = self.pids.witnesses.iter();
        let witnesses: Vec<Value> = witnesses.map(|pid| u64::from(*pid).into()).collect();
        let pids = Object::new()
            .with("up", u64::from(self.pids.up))
            .with("host", u64::from(self.pids.host))
            .with("runtime", u64::from(self.pids.runtime))
            .with("emulated_sp", u64::from(self.pids.emulated_sp))
            .with("issuer", u64::from(self.pids.issuer))
            .with("witnesses", witnesses);
        let mut object = Object::new().with("base", self.base.as_str());
        if let Some(tenant) = &self.tenant {
            object = object
                .with("tenant", tenant.slug.as_str())
                .with("scim_base", scim_base(&self.base, &tenant.slug))
                .with("scim_token", tenant.scim_token.as_str());
        }
        object = object
            .with("ca_file", path(&self.ca_file))
            .with("deployment_file", path(&self.deployment_file));
        if let Some(tenant) = &self.tenant {
            object = object.with("admin_dir", path(&tenant.admin_folder));
        }
        let mut bytes = object
            .with("data_dir", path(&self.data_folder))
            .with("tee", self.tee.as_str())
            .with("store", path(&self.store))
            .with("oidc_issuer", self.issuer.url.as_str())
            .with("oidc_client_id", self.issuer.client_id.as_str())
            .with("oidc_ca_file", path(&self.issuer.ca_file))
            .with("oidc_password", password.map_or(Value::Null, Value::from))
            .with("oidc_control", self.issuer.control.as_str())
            .with("pids", pids)
            .with("metrics", self.metrics.as_str())
            .to_bytes();
        bytes.push(b'\n');
        bytes
    }

    /// Reads a ready file.
    pub(crate) fn read(path: &Path) -> Result<Self, DevError> {
        let bytes = files::read(path)?;
        Self::parse(&bytes).map_err(|error| DevError::Document {
            path: path.to_owned(),
            reason: error.describe(),
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::parse(bytes, &Limits::DOCUMENT)?;
        let mut text = |name: &str| {
            let element = fields.take_optional(name);
            element.map(chancery_json::Element::into_str).transpose()
        };
        let tenant = match (text("tenant")?, text("scim_token")?, text("admin_dir")?) {
            (Some(slug), Some(scim_token), Some(admin_folder)) => Some(ReadyTenant {
                slug,
                scim_token,
                admin_folder: admin_folder.into(),
            }),
            _ => None,
        };
        // It follows from base and tenant.
        text("scim_base")?;
        let password = match fields.take("oidc_password")?.into_value() {
            Value::String(password) => Some(password),
            _ => None,
        };
        let mut pids = fields.take_object("pids")?;
        let witnesses = pids.take_array("witnesses")?.into_iter();
        let ready = Self {
            base: fields.take_str("base")?,
            tenant,
            ca_file: fields.take_str("ca_file")?.into(),
            deployment_file: fields.take_str("deployment_file")?.into(),
            data_folder: fields.take_str("data_dir")?.into(),
            tee: fields.take_str("tee")?,
            store: fields.take_str("store")?.into(),
            issuer: ReadyIssuer {
                url: fields.take_str("oidc_issuer")?,
                client_id: fields.take_str("oidc_client_id")?,
                ca_file: fields.take_str("oidc_ca_file")?.into(),
                password,
                control: fields.take_str("oidc_control")?,
            },
            pids: Pids {
                up: pid(pids.take_u64("up")?),
                host: pid(pids.take_u64("host")?),
                runtime: pid(pids.take_u64("runtime")?),
                emulated_sp: pid(pids.take_u64("emulated_sp")?),
                issuer: pid(pids.take_u64("issuer")?),
                witnesses: witnesses
                    .map(|witness| Ok(pid(witness.into_u64()?)))
                    .collect::<Result<_, Error>>()?,
            },
            metrics: fields.take_str("metrics")?,
        };
        pids.finish()?;
        fields.finish()?;
        Ok(ready)
    }
}

/// A number that is no process id becomes 0, which is no process of ours.
fn pid(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn ready() -> Ready {
        Ready {
            base: "https://localhost:8443".into(),
            tenant: Some(ReadyTenant {
                slug: "demo".into(),
                scim_token: "t".into(),
                admin_folder: "/d/admin/demo".into(),
            }),
            ca_file: "/d/ca.pem".into(),
            deployment_file: "/d/deployment.json".into(),
            data_folder: "/d".into(),
            tee: "process".into(),
            store: "/d/host/store.sqlite3".into(),
            issuer: ReadyIssuer {
                url: "https://localhost:20001".into(),
                client_id: "c".into(),
                ca_file: "/d/issuer/ca.pem".into(),
                password: Some("p".into()),
                control: "http://127.0.0.1:2/x".into(),
            },
            pids: Pids {
                up: 1,
                host: 2,
                runtime: 3,
                emulated_sp: 4,
                issuer: 9,
                witnesses: vec![5, 6, 7, 8],
            },
            metrics: "http://127.0.0.1:1/metrics".into(),
        }
    }

    #[test]
    fn has_exactly_the_members_of_the_design() {
        let text = String::from_utf8(ready().to_json()).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"base":"https://localhost:8443","tenant":"demo","#,
                r#""scim_base":"https://localhost:8443/t/demo/scim/v2","scim_token":"t","#,
                r#""ca_file":"/d/ca.pem","deployment_file":"/d/deployment.json","#,
                r#""admin_dir":"/d/admin/demo","data_dir":"/d","tee":"process","#,
                r#""store":"/d/host/store.sqlite3","oidc_issuer":"https://localhost:20001","#,
                r#""oidc_client_id":"c","oidc_ca_file":"/d/issuer/ca.pem","#,
                r#""oidc_password":"p","oidc_control":"http://127.0.0.1:2/x","#,
                r#""pids":{"up":1,"host":2,"runtime":3,"emulated_sp":4,"issuer":9,"witnesses":[5,6,7,8]},"#,
                r#""metrics":"http://127.0.0.1:1/metrics"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn reads_what_it_wrote_with_and_without_a_tenant() {
        for tenant in [ready().tenant, None] {
            let ready = Ready { tenant, ..ready() };
            assert_eq!(Ready::parse(&ready.to_json()).unwrap(), ready);
        }
    }

    #[test]
    fn a_provider_may_have_no_password_for_everybody() {
        let mut ready = ready();
        ready.issuer.password = None;
        assert_eq!(Ready::parse(&ready.to_json()).unwrap(), ready);
    }

    #[test]
    fn leaves_out_what_is_about_a_tenant_if_there_is_none() {
        let ready = Ready {
            tenant: None,
            ..ready()
        };
        let text = String::from_utf8(ready.to_json()).unwrap();
        for name in ["tenant", "scim_base", "scim_token", "admin_dir"] {
            assert!(!text.contains(&format!("\"{name}\"")), "{text}");
        }
        assert!(text.contains("\"deployment_file\""));
    }

    #[test]
    fn refuses_missing_and_unknown_members() {
        let text = String::from_utf8(ready().to_json()).unwrap();
        for spoiled in [
            text.replace("\"tee\"", "\"tea\""),
            text.replace("\"up\":1,", ""),
            text.replace("\"up\":1,", "\"up\":1,\"down\":1,"),
            text.replace("[5,", "[\"5\","),
        ] {
            assert_ne!(spoiled, text);
            assert!(Ready::parse(spoiled.as_bytes()).is_err(), "{spoiled}");
        }
    }
}
