//! What a witness quorum has cosigned: the state that answers reads (I18).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_authority::TenantId;

use crate::event::Event;
use crate::registry::Registry;
use crate::tenant::TenantSecrets;

/// What a committed batch does to the view.
#[derive(Clone, Debug)]
pub enum Effect {
    /// A tenant was admitted.
    Admitted {
        /// Its slug.
        slug: String,
        /// Its keys.
        secrets: Arc<TenantSecrets>,
    },
    /// A tenant's directory changed.
    Changed {
        /// The tenant.
        tenant: TenantId,
        /// The changes in order.
        events: Vec<Event>,
    },
    /// A tenant's log has this many leaves.
    Logged {
        /// The tenant.
        tenant: TenantId,
        /// The number of leaves.
        size: u64,
    },
}

/// One tenant as readers see it.
#[derive(Debug)]
pub struct TenantView {
    /// Keys.
    pub secrets: Arc<TenantSecrets>,
    /// The directory as of the newest quorum.
    pub registry: Registry,
    /// Leaves of its log as of the newest quorum.
    pub log_size: u64,
}

/// All tenants as readers see them.
#[derive(Debug, Default)]
pub struct View {
    tenants: BTreeMap<TenantId, TenantView>,
    slugs: BTreeMap<String, TenantId>,
    credentials: BTreeMap<[u8; 32], (TenantId, [u8; 32])>,
}

impl View {
    /// Makes a committed batch visible.
    pub fn apply(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Admitted { slug, secrets } => {
                    let view = TenantView {
                        secrets: Arc::clone(secrets),
                        registry: Registry::default(),
                        log_size: 0,
                    };
                    self.slugs.insert(slug.clone(), secrets.id());
                    self.tenants.insert(secrets.id(), view);
                }
                Effect::Logged { tenant, size } => {
                    if let Some(view) = self.tenants.get_mut(tenant) {
                        view.log_size = *size;
                    }
                }
                Effect::Changed { tenant, events } => {
                    let Some(view) = self.tenants.get_mut(tenant) else {
                        continue;
                    };
                    for event in events {
                        view.registry.apply(event);
                        if let Event::CredentialPut(credential) = event {
                            self.credentials
                                .insert(credential.digest, (*tenant, credential.handle));
                        }
                    }
                }
            }
        }
    }

    /// The tenant with this id.
    #[must_use]
    pub fn tenant(&self, id: &TenantId) -> Option<&TenantView> {
        self.tenants.get(id)
    }

    /// The tenant with this slug.
    #[must_use]
    pub fn tenant_of_slug(&self, slug: &str) -> Option<&TenantView> {
        self.slugs.get(slug).and_then(|id| self.tenants.get(id))
    }

    /// The tenant and the credential's handle for a token's keyed digest. The digest is a keyed hash,
    /// so that the time of this look-up tells nothing of any token.
    #[must_use]
    pub fn credential(&self, digest: &[u8; 32]) -> Option<(TenantId, [u8; 32])> {
        self.credentials.get(digest).copied()
    }

    /// Number of tenants.
    #[must_use]
    pub fn tenant_count(&self) -> usize {
        self.tenants.len()
    }

    /// Number of users of all tenants.
    #[must_use]
    pub fn user_count(&self) -> usize {
        self.tenants
            .values()
            .map(|tenant| tenant.registry.users().len())
            .sum()
    }

    /// Number of groups of all tenants.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.tenants
            .values()
            .map(|tenant| tenant.registry.groups().len())
            .sum()
    }
}
