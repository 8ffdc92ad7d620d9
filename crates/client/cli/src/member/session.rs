//! A session of a member, who signs with the device's key, or of an admin who asks about members.

use chancery_authority::ActName;
use chancery_json::Object;
use chancery_keyset::{Fingerprint, Keyset, WrapContext, WrapPurpose};

use super::answers::{Found, FoundUser};
use super::error::MemberError;
use super::home::{Home, Membership};
use super::proof::{Pinned, Proven, verify_absence, verify_lookup};
use crate::AnchorSource;
use crate::api::TenantSession;
use crate::args::member::MemberContextArgs;
use crate::context::{Context, Environment};
use crate::error::CliError;

/// A member on one of their devices.
pub(crate) struct MemberSession<'a, S: AnchorSource> {
    session: TenantSession<'a, S>,
    context: &'a Context,
    /// Whose keys they are.
    pub(crate) membership: Membership,
}

impl<'a, S: AnchorSource> MemberSession<'a, S> {
    /// Connects, appraises, reads the tenant, and compares its genesis with the member's.
    pub(crate) async fn open(
        context: &'a Context,
        source: &'a S,
        membership: Membership,
        device: &Keyset,
    ) -> Result<Self, CliError> {
        if membership.deployment != *context.deployment_id().as_bytes() {
            return Err(MemberError::PaperOfAnother { what: "deployment" }.into());
        }
        let keys = vec![device.signing_key()];
        let session = TenantSession::open_with(context, source, keys).await?;
        check_genesis(session.tenant.genesis.hash(), &membership.genesis)?;
        Ok(Self {
            session,
            context,
            membership,
        })
    }

    /// Sends an act of the member's.
    pub(crate) async fn act(&mut self, act: ActName, body: Object) -> Result<Object, CliError> {
        let body = body.with("member", self.membership.member.to_string());
        self.session.act(act, &body).await
    }

    /// Looks a person up and verifies the proof.
    pub(crate) async fn lookup(&mut self, user: &str) -> Result<LookedUp, CliError> {
        let answer = self
            .act(ActName::KeysLookup, Object::new().with("user", user))
            .await?;
        verified(&answer, user, self.context, &self.session)
    }

    /// Looks the member's own account up, which must be there.
    pub(crate) async fn lookup_own(&mut self) -> Result<(FoundUser, Proven), CliError> {
        let member = self.membership.member.to_string();
        match self.lookup(&member).await? {
            LookedUp::User(found, proven) => Ok((found, *proven)),
            LookedUp::Nobody { .. } => Err(CliError::AnswerUnexpected { what: "user" }),
        }
    }
}

/// What an account's seed is bound to when it is wrapped to a device.
pub(crate) const fn member_secret(
    tenant: [u8; 16],
    handle: [u8; 32],
    account: Fingerprint,
) -> WrapContext {
    WrapContext {
        purpose: WrapPurpose::MemberSecret,
        tenant,
        subject: handle,
        sender: account,
        log_position: 0,
    }
}

/// What a lookup brought, and the log proves.
#[derive(Debug)]
pub(crate) enum LookedUp {
    /// Somebody's state and key.
    User(FoundUser, Box<Proven>),
    /// That nobody has the name.
    Nobody {
        /// A time that has passed by the witnesses' word, in milliseconds since the Unix epoch.
        time_ms: u64,
    },
}

/// Whoever may ask about keys.
pub(crate) enum Asker<'a, S: AnchorSource> {
    /// A member, by their device.
    Member(MemberSession<'a, S>, Home),
    /// An admin or an auditor, by their key.
    Admin(TenantSession<'a, S>, &'a Context),
}

impl<'a, S: AnchorSource> Asker<'a, S> {
    /// By `--home` if it is given, else by the context's key, else by the member's home where it is
    /// by default.
    pub(crate) async fn open(
        args: &MemberContextArgs,
        context: &'a Context,
        environment: &Environment,
        source: &'a S,
    ) -> Result<Self, CliError> {
        if args.home.is_none() && context.has_keys() {
            let session = TenantSession::open(context, source).await?;
            return Ok(Self::Admin(session, context));
        }
        let folder = context.home_folder(args.home.as_deref(), environment)?;
        if args.home.is_none() && !Home::exists(&folder) {
            return Err(CliError::ContextMissing {
                option: "--key or --home",
            });
        }
        let home = Home::open_existing(&folder)?;
        let (membership, device) = (home.member()?, home.device()?);
        let session = MemberSession::open(context, source, membership, &device).await?;
        Ok(Self::Member(session, home))
    }

    /// Sends an act about a user.
    pub(crate) async fn act(&mut self, act: ActName, body: Object) -> Result<Object, CliError> {
        match self {
            Self::Member(session, _home) => session.act(act, body).await,
            Self::Admin(session, _context) => session.act(act, &body).await,
        }
    }

    /// Looks a person up and verifies the proof.
    pub(crate) async fn lookup(&mut self, user: &str) -> Result<LookedUp, CliError> {
        match self {
            Self::Member(session, _home) => session.lookup(user).await,
            Self::Admin(session, context) => {
                let body = Object::new().with("user", user);
                let answer = session.act(ActName::KeysLookup, &body).await?;
                verified(&answer, user, context, session)
            }
        }
    }
}

fn verified<S: AnchorSource>(
    answer: &Object,
    user: &str,
    context: &Context,
    session: &TenantSession<'_, S>,
) -> Result<LookedUp, CliError> {
    let pinned = Pinned {
        deployment: &context.deployment,
        tenant: *session.tenant.genesis.tenant().as_bytes(),
        heads: context.heads(),
    };
    match Found::read(answer)? {
        Found::User(found) => {
            let proven = verify_lookup(&found, user, pinned)?;
            Ok(LookedUp::User(found, Box::new(proven)))
        }
        Found::Nobody(proof) => Ok(LookedUp::Nobody {
            time_ms: verify_absence(&proof, user, pinned)?,
        }),
    }
}

/// Refuses a tenant of the same name that somebody else made.
pub(crate) fn check_genesis(shown: &[u8; 32], pinned: &[u8; 32]) -> Result<(), MemberError> {
    if shown == pinned {
        Ok(())
    } else {
        Err(MemberError::GenesisDiffers {
            pinned: *pinned,
            shown: *shown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_another_genesis_than_the_pinned_one() {
        assert!(check_genesis(&[1; 32], &[1; 32]).is_ok());
        assert!(matches!(
            check_genesis(&[1; 32], &[2; 32]),
            Err(MemberError::GenesisDiffers { pinned, shown })
                if pinned == [2; 32] && shown == [1; 32]
        ));
    }
}
