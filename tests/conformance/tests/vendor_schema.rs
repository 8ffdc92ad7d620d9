//! A vendor's schema file: settled at the first start, advertised, enforced, searched by, and there again
//! after a restart.

use std::sync::Arc;

use chancery_e2e::Service;
use serde_json::{Value, json};
use tempfile::TempDir;

const URN: &str = "urn:example:params:scim:schemas:extension:vault:2.0:User";

fn schema(urn: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": urn, "name": "Vault", "attributes": [
        {"name": "seat", "type": "string", "multiValued": false, "required": true, "caseExact": true},
        {"name": "quota", "type": "integer", "multiValued": false},
        {"name": "contract", "type": "string", "multiValued": false, "mutability": "immutable"},
        {"name": "secret", "type": "string", "multiValued": false, "mutability": "writeOnly", "returned": "never"},
        {"name": "labels", "type": "string", "multiValued": true}]})
}

#[test]
fn a_schema_file_adds_attributes_that_are_advertised_and_held_to_it() {
    let folder = Arc::new(TempDir::new().unwrap());
    let file = folder.path().join("vault.json");
    std::fs::write(&file, schema(URN).to_string()).unwrap();
    let arguments = ["--user-schema", file.to_str().unwrap()];
    let service = Service::start(&folder, &arguments);
    let mut client = service.client();
    let advertised = client.get(&format!("/Schemas/{URN}")).expect(200).json();
    assert_eq!(advertised["attributes"][0]["required"], json!(true));
    let types = client.get("/ResourceTypes/User").expect(200).json();
    assert_eq!(types["schemaExtensions"][1]["schema"], json!(URN));

    let user = |name: &str, extension: Value| {
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", URN],
            "userName": format!("{name}@demo.example"), URN: extension})
    };
    let ada = user(
        "ada",
        json!({"seat": "A1", "quota": 12, "contract": "7", "secret": "s", "labels": ["x", "y"]}),
    );
    let made = client.post("/Users", &ada).expect(201).json();
    assert_eq!(
        made[URN],
        json!({"seat": "A1", "quota": 12, "contract": "7", "labels": ["x", "y"]})
    );
    assert_eq!(made["schemas"][1], json!(URN));
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    for (name, extension) in [
        ("b", json!({"quota": 1})),
        ("c", json!({"seat": "C", "quota": "many"})),
    ] {
        let detail = client
            .post("/Users", &user(name, extension))
            .scim_error(400, Some("invalidValue"));
        assert!(detail.contains(URN), "{detail}");
    }
    assert_eq!(client.find("Users", &format!("{URN}:quota gt 11")).len(), 1);
    assert_eq!(
        client.find("Users", &format!("{URN}:seat eq \"a1\"")).len(),
        0
    );
    let patch = |op: Value| json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [op]});
    let again = patch(json!({"op": "replace", "path": format!("{URN}:contract"), "value": "8"}));
    client
        .patch(&path, &again)
        .scim_error(400, Some("mutability"));

    // Later starts go on with what was settled.
    drop(client);
    assert!(service.end().success());
    let service = Service::start(&folder, &[]);
    assert!(service.log().contains("other schemas"), "{}", service.log());
    let kept = service.client().get(&path).expect(200).json();
    assert_eq!(kept[URN]["quota"], json!(12));
}

#[test]
fn a_file_that_is_no_schema_ends_the_start_with_its_name_and_place() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("vault.json");
    let core = "urn:ietf:params:scim:schemas:core:2.0:User";
    std::fs::write(&file, schema(core).to_string()).unwrap();
    let ended = Service::refused(&folder, &["--user-schema", file.to_str().unwrap()]);
    assert_ne!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("vault.json") && ended.stderr.contains("/id"),
        "{ended:?}"
    );
}
