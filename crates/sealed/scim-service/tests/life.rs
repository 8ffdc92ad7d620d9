//! A user's life as requests in memory: the same code that the runtime serves over TLS.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use chancery_testkit::{InMemory, Sent, World};
use http::{HeaderMap, Method};

fn send(service: &InMemory, method: Method, target: &str, body: &str) -> (u16, String) {
    let answer = service.answer(&Sent {
        method,
        target,
        headers: HeaderMap::new(),
        body: body.as_bytes(),
    });
    let status = answer.status().as_u16();
    (status, String::from_utf8(answer.into_body()).unwrap())
}

#[test]
fn a_user_is_created_found_suspended_and_deleted_in_memory() {
    let service = InMemory::new(World::with_tenant(7));
    let ada = r#"{"userName":"ada@demo.example","emails":[{"value":"ada@demo.example"}]}"#;
    let (status, body) = send(&service, Method::POST, "/Users", ada);
    assert_eq!(status, 201, "{body}");
    let id = body.split("\"id\":\"").nth(1).unwrap();
    let id = id.split('"').next().unwrap();
    assert_eq!(send(&service, Method::POST, "/Users", ada).0, 409);
    let found = "/Users?filter=userName+eq+%22ADA@demo.example%22";
    assert!(send(&service, Method::GET, found, "").1.contains(id));
    let one = format!("/Users/{id}");
    let suspend = r#"{"Operations":[{"op":"replace","value":{"active":false}}]}"#;
    let (status, body) = send(&service, Method::PATCH, &one, suspend);
    assert!(status == 200 && body.contains("\"active\":false"), "{body}");
    assert_eq!(send(&service, Method::DELETE, &one, "").0, 204);
    assert_eq!(send(&service, Method::GET, &one, "").0, 404);
    assert_eq!(service.keysets_made(), 1);
}
