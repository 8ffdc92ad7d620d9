//! A vendor's schema files.

use std::path::{Path, PathBuf};

use chancery_json::{Limits, Object, Value};
use chancery_scim::{Catalogue, ResourceKind};

use crate::error::DevError;
use crate::files;

/// Reads the schemas that extend users and groups, as the configuration has them. What the runtime would
/// refuse is refused here, where the file has a name.
pub(crate) fn read(users: &[PathBuf], groups: &[PathBuf]) -> Result<Vec<Value>, DevError> {
    let kinds = [(ResourceKind::User, users), (ResourceKind::Group, groups)];
    let mut catalogue = Catalogue::STANDARD;
    let mut extensions = Vec::new();
    for (kind, paths) in kinds {
        for path in paths {
            let schema = parse(path)?;
            let refused = |fault: chancery_scim::SchemaFault| DevError::Document {
                path: path.clone(),
                reason: fault.to_string(),
            };
            catalogue = catalogue.with_extension(kind, &schema).map_err(refused)?;
            let extension = Object::new()
                .with("resource_type", kind.name())
                .with("schema", schema);
            extensions.push(Value::Object(extension));
        }
    }
    Ok(extensions)
}

fn parse(path: &Path) -> Result<Value, DevError> {
    let bytes = files::read(path)?;
    Value::parse(&bytes, &Limits::DOCUMENT).map_err(|error| DevError::Document {
        path: path.to_owned(),
        reason: error.describe(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_schema_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.json");
        let good = r#"{"id":"urn:example:vault","attributes":[{"name":"seat","type":"string","multiValued":false}]}"#;
        std::fs::write(&path, good).unwrap();
        let read_user = |paths: &[PathBuf]| read(paths, &[]);
        let read_one = read_user(std::slice::from_ref(&path)).unwrap();
        assert_eq!(read_one.len(), 1);
        assert!(read_user(&[path.clone(), path.clone()]).is_err());
        std::fs::write(&path, good.replace("string", "text")).unwrap();
        let error = read_user(&[path]).unwrap_err().to_string();
        assert!(
            error.contains("vault.json") && error.contains("/attributes/0/type"),
            "{error}"
        );
    }
}
