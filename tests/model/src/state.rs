//! What the service should hold: users, groups and who belongs to what, in plain maps.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::document::Document;
use crate::patch::Wish;
use crate::schema::{ENTERPRISE, Kind};
use crate::text::user_name;

/// A version, and those of what is shown beside the resource.
pub type Stamp = (u64, Vec<(String, u64)>);

/// One live resource.
#[derive(Clone, Debug)]
pub struct Resource {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// Its own attributes.
    pub document: Document,
    /// How often it was changed.
    pub version: u64,
    /// The order of creation.
    pub born: u64,
    /// When it was made, as the service tells.
    pub created: String,
    /// When it was changed last, as the service tells.
    pub modified: String,
    /// The entity tags that it has had, each with what it stood for.
    pub tags: Vec<(String, Stamp)>,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct State {
    base: String,
    resources: BTreeMap<String, Resource>,
    members: BTreeMap<String, BTreeSet<String>>,
    /// Memberships that give nothing: of users who were suspended, until they are granted anew.
    parked: BTreeSet<(String, String)>,
    gone: Vec<(Kind, String)>,
    births: u64,
}

impl State {
    /// Nothing yet.
    #[must_use]
    pub const fn new(base: String) -> Self {
        Self {
            base,
            resources: BTreeMap::new(),
            members: BTreeMap::new(),
            parked: BTreeSet::new(),
            gone: Vec::new(),
            births: 0,
        }
    }

    /// The resources of a kind in the order of their creation.
    #[must_use]
    pub fn live(&self, kind: Kind) -> Vec<&Resource> {
        let mut found: Vec<&Resource> = self
            .resources
            .values()
            .filter(|resource| resource.kind == kind)
            .collect();
        found.sort_by_key(|resource| resource.born);
        found
    }

    /// All resources in the order of their creation.
    #[must_use]
    pub fn everybody(&self) -> Vec<&Resource> {
        let mut found: Vec<&Resource> = self.resources.values().collect();
        found.sort_by_key(|resource| resource.born);
        found
    }

    /// The ids of a kind that were deleted.
    #[must_use]
    pub fn gone(&self, kind: Kind) -> Vec<&str> {
        let gone = self.gone.iter().filter(|(of, _)| *of == kind);
        gone.map(|(_, id)| id.as_str()).collect()
    }

    /// The resource of an id.
    #[must_use]
    pub fn find(&self, kind: Kind, id: &str) -> Option<&Resource> {
        self.resources
            .get(id)
            .filter(|resource| resource.kind == kind)
    }

    /// The resource of an id, to note what the service told of it.
    pub fn find_mut(&mut self, id: &str) -> Option<&mut Resource> {
        self.resources.get_mut(id)
    }

    /// What an id belongs to.
    #[must_use]
    pub fn what(&self, id: &str) -> Option<Kind> {
        self.resources.get(id).map(|resource| resource.kind)
    }

    /// Whether a userName belongs to somebody other than `but`.
    #[must_use]
    pub fn is_taken(&self, name: &str, but: Option<&str>) -> bool {
        let wanted = user_name(name);
        self.live(Kind::User).iter().any(|user| {
            let own = user
                .document
                .get("userName")
                .and_then(Value::as_str)
                .and_then(user_name);
            own == wanted && Some(user.id.as_str()) != but
        })
    }

    /// The URI of a resource.
    #[must_use]
    pub fn location(&self, kind: Kind, id: &str) -> String {
        format!("{}{}/{id}", self.base, kind.endpoint())
    }

    /// Puts a new resource in. Its members are put in by [`State::regroup`].
    pub fn create(&mut self, kind: Kind, id: &str, document: Document) {
        self.births += 1;
        let resource = Resource {
            kind,
            id: id.to_owned(),
            document,
            version: 1,
            born: self.births,
            created: String::new(),
            modified: String::new(),
            tags: Vec::new(),
        };
        self.resources.insert(id.to_owned(), resource);
        if kind == Kind::Group {
            self.members.insert(id.to_owned(), BTreeSet::new());
        }
    }

    /// Changes a resource, and a group's members. Without change there is no new version.
    pub fn update(&mut self, id: &str, document: Document, wish: &Wish) {
        let regrouped = self.regroup(id, wish);
        let Some(resource) = self.resources.get_mut(id) else {
            return;
        };
        let active = |document: &Document| document.get("active") == Some(&Value::from(true));
        let suspended = active(&resource.document) && !active(&document);
        if resource.document != document || regrouped {
            resource.version += 1;
        }
        resource.document = document;
        if suspended {
            let groups: Vec<String> = self.groups_of(id).map(|group| group.id.clone()).collect();
            self.parked
                .extend(groups.into_iter().map(|group| (group, id.to_owned())));
        }
    }

    /// Changes the members of a group; tells whether anything changed.
    pub fn regroup(&mut self, group: &str, wish: &Wish) -> bool {
        let Some(before) = self.members.get(group).cloned() else {
            return false;
        };
        let after = wish.of(&before);
        let mut changed = after != before;
        let pair = |user: &String| (group.to_owned(), user.clone());
        for user in before.difference(&after) {
            self.parked.remove(&pair(user));
        }
        for user in &wish.added {
            let active = self
                .find(Kind::User, user)
                .is_some_and(|user| user.document["active"] == true);
            if active {
                changed |= self.parked.remove(&pair(user));
            } else if !before.contains(user) {
                self.parked.insert(pair(user));
            }
        }
        self.members.insert(group.to_owned(), after);
        changed
    }

    /// Takes a resource out, and it out of every group.
    pub fn delete(&mut self, id: &str) {
        let Some(resource) = self.resources.remove(id) else {
            return;
        };
        self.members.remove(id);
        for members in self.members.values_mut() {
            members.remove(id);
        }
        self.parked
            .retain(|(group, user)| group != id && user != id);
        self.gone.push((resource.kind, resource.id));
    }

    fn groups_of<'s>(&'s self, user: &'s str) -> impl Iterator<Item = &'s Resource> {
        let groups = self
            .members
            .iter()
            .filter(move |(_, members)| members.contains(user));
        groups.filter_map(|(group, _)| self.resources.get(group))
    }

    fn related<'s>(&'s self, resource: &'s Resource) -> Vec<&'s Resource> {
        match resource.kind {
            Kind::User => self.groups_of(&resource.id).collect(),
            Kind::Group => {
                let members = self.members.get(&resource.id).into_iter().flatten();
                members.filter_map(|id| self.resources.get(id)).collect()
            }
        }
    }

    /// What an entity tag of a resource stands for now.
    #[must_use]
    pub fn stamp(&self, resource: &Resource) -> Stamp {
        let related = self.related(resource).into_iter();
        (
            resource.version,
            related
                .map(|other| (other.id.clone(), other.version))
                .collect(),
        )
    }

    /// A resource as everybody may see it.
    #[must_use]
    pub fn shown(&self, resource: &Resource) -> Value {
        let mut shown: Map<String, Value> = resource.document.clone();
        let mut schemas = vec![resource.kind.urn()];
        if shown.contains_key(ENTERPRISE) {
            schemas.push(ENTERPRISE);
        }
        shown.insert("schemas".to_owned(), json!(schemas));
        shown.insert("id".to_owned(), json!(resource.id));
        let meta = json!({
            "resourceType": resource.kind.name(),
            "created": resource.created,
            "lastModified": resource.modified,
            "location": self.location(resource.kind, &resource.id),
            // Every resource has one; which, is compared with the header.
            "version": resource.tags.last().map_or("W/\"\"", |(tag, _)| tag.as_str()),
        });
        shown.insert("meta".to_owned(), meta);
        let related: Vec<Value> = self
            .related(resource)
            .into_iter()
            .map(|other| self.reference(other))
            .collect();
        shown.insert(resource.kind.relation().to_owned(), Value::Array(related));
        Value::Object(shown)
    }

    /// A resource as another one refers to it.
    fn reference(&self, other: &Resource) -> Value {
        let label = match other.kind {
            Kind::User => "User",
            Kind::Group => "direct",
        };
        let mut made = json!({
            "value": other.id,
            "$ref": self.location(other.kind, &other.id),
            "type": label,
        });
        if let Some(name) = other.document.get("displayName") {
            made["display"] = name.clone();
        }
        made
    }
}
