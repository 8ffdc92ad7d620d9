//! Show 5: nothing that the host can see holds a name, an address, a token or a private key.
//!
//! The host sees its folder, its sockets, the command lines and logs of the processes, its own port, and
//! what the witnesses keep. All of it is gathered while an identity provider works, and searched for what
//! was sent and for the keys themselves, which the test unseals as the emulated processor can.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use chancery_e2e::{
    Client, LONG, Needle, Recording, Service, Tap, eventually, found, private_keys, run, signal,
};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What an identity provider says of people; nobody else may learn it.
const PERSONAL: [(&str, &str); 12] = [
    ("local part", "zebedee.quillfeather"),
    ("given name", "Zebedee-Xanthus"),
    ("family name", "Quillfeather"),
    ("display name", "Zebedee the Unmistakable"),
    ("externalId", "00u-quizzical-4711-zebedee"),
    ("title", "Keeper of the Obsidian Ledger"),
    ("phone", "+44 20 7946 0991"),
    ("street", "12 Marmalade Crescent"),
    ("department", "Department of Peculiar Affairs"),
    ("group", "Conspirators of the Ninth Floor"),
    ("new title", "Warden of the Amber Staircase"),
    ("sought name", "hortensia.nightingale"),
];

/// Bytes that the host can see, by the place where it sees them.
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    /// Every file below a folder.
    fn files(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.files(&path);
            } else if path.is_file() {
                self.0
                    .push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }

    fn recording(&mut self, place: &str, recording: &Recording) {
        for (number, lane) in recording.lanes().into_iter().enumerate() {
            self.0.push((format!("{place}, lane {number}"), lane));
        }
    }

    fn search(&self, needles: &[Needle]) -> Vec<String> {
        let places = self.0.iter();
        places
            .flat_map(|(place, bytes)| found(needles, place, bytes))
            .collect()
    }

    fn size(&self, place: &str) -> usize {
        let places = self.0.iter().filter(|(name, _)| name.contains(place));
        places.map(|(_, bytes)| bytes.len()).sum()
    }
}

/// The service with a listener of ours in each place where the host reads or writes.
struct Tapped {
    service: Service,
    public: Tap,
    host: Recording,
    ingress: Recording,
}

impl Tapped {
    fn start(folder: &Arc<TempDir>) -> Self {
        let service = Service::start(folder, &[]);
        let sockets = service.data().join("host");
        // The next runtime connects through the first tap from its first byte on; it makes its own socket
        // anew, which is then moved aside in turn.
        let host = Tap::unix(&sockets.join("host.sock")).unwrap();
        let before = service.ready().pids();
        signal(before.runtime, Signal::KILL);
        service.await_recovery(&before);
        let ingress = Tap::unix(&sockets.join("ingress.sock")).unwrap();
        let public = Tap::tcp(service.ready().address());
        Self {
            service,
            public,
            host,
            ingress,
        }
    }

    fn client(&self) -> Client {
        self.service.client().at(self.public.address())
    }

    /// All that the host can see now.
    fn seen(&self) -> Seen {
        let data = self.service.data();
        let mut seen = Seen(Vec::new());
        seen.files(&data.join("host"));
        seen.files(&data.join("logs"));
        for number in 1..=4 {
            seen.files(&data.join(format!("witness-{number}")));
        }
        for name in [
            "ca.pem",
            "deployment.json",
            "emulated-roots.json",
            "witness-logs.json",
        ] {
            seen.0
                .push((name.to_owned(), fs::read(data.join(name)).unwrap()));
        }
        seen.0
            .push(("output of up".to_owned(), self.service.log().into_bytes()));
        for path in ["/metrics", "/healthz", "/other"] {
            seen.0
                .push((path.to_owned(), self.service.status(path).1.into_bytes()));
        }
        for pid in self.service.ready().pids().all() {
            for name in ["cmdline", "environ"] {
                let path = format!("/proc/{pid}/{name}");
                seen.0.push((path.clone(), fs::read(path).unwrap()));
            }
        }
        seen.recording("public port", &self.public.recording);
        seen.recording("host.sock", &self.host);
        seen.recording("ingress.sock", &self.ingress);
        seen
    }
}

/// What an identity provider does, with mistakes, in requests that name people everywhere.
fn provision(client: &mut Client) {
    let p = |name: &str| {
        let mut all = PERSONAL.iter();
        all.find(|(each, _)| *each == name).unwrap().1
    };
    let address = format!("{}@demo.example", p("local part"));
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": address, "externalId": p("externalId"), "displayName": p("display name"),
        "name": {"givenName": p("given name"), "familyName": p("family name")},
        "emails": [{"type": "work", "value": address, "primary": true}], "title": p("title"),
        "phoneNumbers": [{"type": "work", "value": p("phone")}],
        "addresses": [{"type": "work", "streetAddress": p("street")}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": p("department")},
    });
    let made = client.post("/Users", &user).expect(201).json();
    let id = made["id"].as_str().unwrap().to_owned();
    let path = format!("/Users/{id}");
    client
        .post("/Users", &user)
        .scim_error(409, Some("uniqueness"));
    for filter in [
        format!("userName eq \"{address}\""),
        format!("userName eq \"{}@demo.example\"", p("sought name")),
        format!("displayName eq \"{}\"", p("display name")),
    ] {
        client.find("Users", &filter);
    }
    let patch = |operation: Value| json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]});
    let title = patch(json!({"op": "replace", "path": "title", "value": p("new title")}));
    client.patch(&path, &title).expect(200);
    let group = json!({"displayName": p("group"), "members": [{"value": id}]});
    let group = client.post("/Groups", &group).expect(201).json();
    let group = format!("/Groups/{}", group["id"].as_str().unwrap());
    client.get(&group).expect(200);
    // Refusals speak of what was wrong, and some of them are counted or logged.
    let foreign = json!({"userName": format!("{}@elsewhere.example", p("local part"))});
    client.post("/Users", &foreign).scim_error(403, None);
    client
        .get(&format!("/Users/{}", p("local part")))
        .scim_error(404, None);
    let bad = patch(json!({"op": "replace", "path": p("family name"), "value": p("given name")}));
    client
        .patch(&path, &bad)
        .scim_error(400, Some("invalidPath"));
    let broken = format!("{{\"userName\": \"{address}\"");
    client
        .request("POST", "/Users", &[], broken.as_bytes())
        .scim_error(400, Some("invalidSyntax"));
    let inactive = patch(json!({"op": "Replace", "path": "active", "value": "False"}));
    client.patch(&path, &inactive).expect(200);
}

/// The tokens: as text, and the random bytes in them.
fn token_needles(token: &str) -> Vec<Needle> {
    let text = token.strip_prefix("chy_").unwrap();
    let bytes = Base64UrlUnpadded::decode_vec(text).unwrap();
    vec![
        Needle::new("token", token.as_bytes()),
        Needle::new("token's secret", &bytes[..32]),
    ]
}

/// The seeds in the key files that no host ever sees.
fn file_needles(data: &Path) -> Vec<Needle> {
    let files = [
        "admin/demo/admin.key",
        "admin/demo/recovery.key",
        "operator/admission.key",
        "release/release.key",
    ];
    let needle = |file: &str| {
        let bytes = fs::read(data.join(file)).unwrap();
        let key: Value = serde_json::from_slice(&bytes).unwrap();
        let seed = Base64::decode_vec(key["seed"].as_str().unwrap()).unwrap();
        assert!(seed.len() >= 32);
        Needle::new(file, &seed)
    };
    files.into_iter().map(needle).collect()
}

#[test]
fn nothing_that_the_host_sees_holds_a_name_a_token_or_a_key() {
    let folder = Arc::new(TempDir::with_prefix("chancery-e2e-").unwrap());
    let tapped = Tapped::start(&folder);
    let mut client = tapped.client();
    provision(&mut client);
    let data = tapped.service.data().to_owned();
    let issued = data.join("admin").join("issued.token");
    let finished = run(
        "chancery-dev",
        &[
            "token",
            "issue",
            "--label",
            "Label of the Vermilion Connector",
            "--out",
            issued.to_str().unwrap(),
            "--ready-file",
            tapped.service.ready_file(),
            "--address",
            &tapped.public.address().to_string(),
        ],
    );
    assert_eq!(finished.code, Some(0), "{finished:?}");
    // The counters of all that arrive at the host once a second.
    let written = |text: &str| {
        text.contains("class=\"scim_write\"} 8") || text.contains("class=\"scim_write\"} 9")
    };
    eventually("the counters", LONG, || {
        written(&tapped.service.status("/metrics").1).then_some(())
    });

    let mut needles: Vec<Needle> = PERSONAL
        .iter()
        .flat_map(|(name, text)| Needle::text(name, text))
        .collect();
    needles.extend(Needle::text("label", "Label of the Vermilion Connector"));
    needles.extend(token_needles(tapped.service.ready().text("scim_token")));
    needles.extend(token_needles(fs::read_to_string(&issued).unwrap().trim()));
    needles.extend(file_needles(&data));
    needles.extend(private_keys(&data));
    let seen = tapped.seen();
    assert_eq!(seen.search(&needles), Vec::<String>::new());
    assert_sees_everything(&tapped, &seen);
    assert_finds_what_is_planted(&tapped, &needles);
    assert!(tapped.service.end().success());
}

/// That nothing was found means something only if the taps carried the traffic.
fn assert_sees_everything(tapped: &Tapped, seen: &Seen) {
    for place in [
        "public port",
        "host.sock",
        "ingress.sock",
        "store.sqlite3",
        "/metrics",
        "/environ",
    ] {
        assert!(seen.size(place) > 0, "{place}");
    }
    let lanes = |place: &str, what: &str, bytes: &[u8]| {
        let hits = seen.search(&[Needle::new(what, bytes)]);
        assert!(
            hits.iter().any(|hit| hit.contains(place)),
            "{what} is not in {place}: {hits:?}"
        );
    };
    // What the host may see is there: sealed records on their way, the published document, checkpoints.
    let store = Connection::open(tapped.service.data().join("host/store.sqlite3")).unwrap();
    let newest: Vec<u8> = store
        .query_row(
            "SELECT body FROM record ORDER BY id DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    lanes("host.sock", "the newest sealed record", &newest);
    lanes(
        "host.sock",
        "the log's origin",
        b"demo.chancery.example/atl/root/v1",
    );
    lanes(
        "witness-1",
        "the log's origin",
        b"demo.chancery.example/atl/root/v1",
    );
    // And one byte of TLS on each side of the host is the other side's.
    let sent = tapped
        .public
        .recording
        .lanes()
        .into_iter()
        .max_by_key(Vec::len)
        .unwrap();
    let middle = &sent[sent.len() / 2..sent.len() / 2 + 64];
    lanes("ingress.sock", "ciphertext", middle);
}

/// The same search finds each thing, in each form, once it does lie there.
fn assert_finds_what_is_planted(tapped: &Tapped, needles: &[Needle]) {
    let (_, name) = PERSONAL[1];
    let planted = tapped.service.data().join("host").join("planted");
    for text in [
        name.to_owned(),
        hex::encode(name),
        Base64::encode_string(format!("x{name}y").as_bytes()),
        tapped.service.ready().text("scim_token").to_owned(),
    ] {
        fs::write(&planted, format!("noise {text} noise")).unwrap();
        let hits = tapped.seen().search(needles);
        assert!(
            hits.iter().any(|hit| hit.contains("planted")),
            "{text}: {hits:?}"
        );
        assert!(hits.iter().all(|hit| hit.contains("planted")), "{hits:?}");
    }
    fs::remove_file(&planted).unwrap();
}
