//! SCIM requests of the world's credential.

use base64ct::{Base64, Encoding as _};
use chancery_engine::{Act, Answer, NewGroup, NewUser, Refusal, ResourceId, TenantAct, Update};
use chancery_keyset::{Keyset, KeysetSeed};
use chancery_scim::{Catalogue, GroupDocument, PatchRequest, UserDocument};

use crate::world::{World, panic_on};

impl World {
    /// The act that creates the user of a SCIM body.
    ///
    /// # Errors
    /// What the SCIM engine or the preparation refuses.
    pub fn user(&mut self, body: &str) -> Result<Act, Refusal> {
        let document = UserDocument::parse_create(body.as_bytes(), Catalogue::STANDARD)?;
        let fresh = self.seeded.key();
        let tenant = self.view.tenant(&self.tenant).expect("tenant");
        let new = NewUser::prepare(&tenant.secrets, document, self.now_ms, &fresh)?;
        Ok(self.by_token(TenantAct::CreateUser(new)))
    }

    /// Creates a user.
    ///
    /// # Errors
    /// The refusal.
    pub fn create_user(&mut self, body: &str) -> Result<ResourceId, Refusal> {
        let act = self.user(body)?;
        match self.act(act)? {
            Answer::User { user, .. } => Ok(user.id),
            other => panic_on(&other),
        }
    }

    /// Changes a user by PATCH.
    ///
    /// # Errors
    /// The refusal.
    pub fn patch_user(&mut self, id: ResourceId, body: &str) -> Result<Answer, Refusal> {
        let change = PatchRequest::parse(body.as_bytes())?;
        let fresh = self.seeded.key();
        let update = Update {
            id,
            if_match: None,
            change,
            fresh,
        };
        self.act(self.by_token(TenantAct::PatchUser(update)))
    }

    /// Deletes a group.
    ///
    /// # Errors
    /// The refusal.
    pub fn delete_group(&mut self, id: ResourceId) -> Result<Answer, Refusal> {
        let fresh = self.seeded.key();
        self.act(self.by_token(TenantAct::DeleteGroup(Update {
            id,
            if_match: None,
            change: (),
            fresh,
        })))
    }

    /// Deletes a user.
    ///
    /// # Errors
    /// The refusal.
    pub fn delete_user(&mut self, id: ResourceId) -> Result<Answer, Refusal> {
        let fresh = self.seeded.key();
        self.act(self.by_token(TenantAct::DeleteUser(Update {
            id,
            if_match: None,
            change: (),
            fresh,
        })))
    }

    /// Creates a group.
    ///
    /// # Errors
    /// The refusal.
    pub fn create_group(&mut self, body: &str) -> Result<ResourceId, Refusal> {
        let (document, members) =
            GroupDocument::parse_create(body.as_bytes(), Catalogue::STANDARD)?;
        let fresh = self.seeded.key();
        let new = NewGroup::prepare(document, members, &fresh)?;
        match self.act(self.by_token(TenantAct::CreateGroup(new)))? {
            Answer::Group { group, .. } => Ok(group.id),
            other => panic_on(&other),
        }
    }

    /// Has a reader find users, as a GET by filter or by id does.
    ///
    /// # Errors
    /// The refusal.
    pub fn find(&mut self, ids: &[ResourceId]) -> Result<Answer, Refusal> {
        let fresh = self.seeded.key();
        let ids = ids.to_vec();
        self.act(self.by_token(TenantAct::Matched { ids, fresh }))
    }

    /// Changes a group by PATCH.
    ///
    /// # Errors
    /// The refusal.
    pub fn patch_group(&mut self, id: ResourceId, body: &str) -> Result<Answer, Refusal> {
        let change = PatchRequest::parse(body.as_bytes())?;
        let fresh = self.seeded.key();
        let update = Update {
            id,
            if_match: None,
            change,
            fresh,
        };
        self.act(self.by_token(TenantAct::PatchGroup(update)))
    }
}

/// One member of an import: the address `local@demo.example` and the public keyset of `seed`.
#[must_use]
pub fn member_json(local: &str, seed: u64) -> String {
    let keyset = Keyset::from_seed(KeysetSeed::from_bytes(seed_bytes(seed))).expect("keyset");
    let public = Base64::encode_string(&keyset.public().encode());
    format!(
        "{{\"user_name\":\"{local}@demo.example\",\"external_id\":null,\"display_name\":\"{local}\",\
         \"emails\":[\"{local}@demo.example\"],\"public_keyset\":\"{public}\"}}"
    )
}

fn seed_bytes(seed: u64) -> [u8; 64] {
    let mut bytes = [7; 64];
    for (byte, value) in bytes.iter_mut().zip(seed.to_be_bytes()) {
        *byte = value;
    }
    bytes
}

/// A user's SCIM body in the shape that Okta sends.
#[must_use]
pub fn user_json(local: &str) -> String {
    format!(
        "{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\
         \"userName\":\"{local}@demo.example\",\"name\":{{\"givenName\":\"{local}\",\
         \"familyName\":\"Example\"}},\"emails\":[{{\"primary\":true,\
         \"value\":\"{local}@demo.example\",\"type\":\"work\"}}],\"displayName\":\"{local}\",\
         \"externalId\":\"00u{local}\",\"groups\":[],\"active\":true}}"
    )
}
