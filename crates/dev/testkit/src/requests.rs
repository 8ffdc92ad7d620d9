//! SCIM requests of the world's credential.

use chancery_engine::{Act, Answer, NewGroup, NewUser, Refusal, ResourceId, TenantAct, Update};
use chancery_scim::{GroupDocument, PatchRequest, UserDocument};

use crate::world::{World, panic_on};

impl World {
    /// The act that creates the user of a SCIM body.
    ///
    /// # Errors
    /// What the SCIM engine or the preparation refuses.
    pub fn user(&mut self, body: &str) -> Result<Act, Refusal> {
        let document = UserDocument::parse_create(body.as_bytes())?;
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
        let (document, members) = GroupDocument::parse_create(body.as_bytes())?;
        let fresh = self.seeded.key();
        let new = NewGroup::prepare(document, members, &fresh)?;
        match self.act(self.by_token(TenantAct::CreateGroup(new)))? {
            Answer::Group { group, .. } => Ok(group.id),
            other => panic_on(&other),
        }
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
