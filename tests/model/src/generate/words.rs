//! Small pools, so that what is drawn twice is often the same.

/// Texts: plain, odd, and such that only case or normalisation tells them apart.
pub const TEXTS: &[&str] = &[
    "Eng",
    "eng",
    "ENGINEER",
    "Ada",
    "ada lovelace",
    "Stra\u{df}e",
    "STRASSE",
    "\u{3a3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c2}",
    "\u{3c3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c3}",
    "\u{130}stanbul",
    "istanbul",
    "o\u{fb03}ce",
    "office",
    "Andr\u{e9}",
    "Andre\u{301}",
    "\u{212a}elvin",
    "kelvin",
    "] or (true) and \"",
    "back\\slash/",
    "\u{65e5}\u{672c}\u{8a9e}",
    "\u{1f600} \u{fb01}",
    "a b  c",
    "true",
    "null",
    "tab\tline\nend",
    "0",
];

/// Labels of values.
pub(super) const LABELS: &[&str] = &["work", "home", "other", "Work", "mobile"];

/// userNames and addresses in the trusted domain; each person in several spellings.
pub const NAMES: &[&str] = &[
    "ada@demo.example",
    "Ada@Demo.Example",
    "bob@demo.example",
    "BOB@demo.example",
    "\u{fc}nal@demo.example",
    "u\u{308}NAL@demo.example",
    "carl.o'neil+x@demo.example",
    "dora@demo.example",
    "eve@DEMO.example",
    "frank_1@demo.example",
];

/// Addresses, in other domains too.
pub const EMAILS: &[&str] = &[
    "ada@demo.example",
    "ADA@demo.example",
    "bob@demo.example",
    "ada@home.example",
    "x@b\u{fc}cher.example",
    "X@B\u{dc}CHER.example",
    "x@xn--bcher-kva.example",
    "\u{fc}nal@demo.example",
    "u\u{308}nal@demo.example",
];

/// URIs.
pub const LINKS: &[&str] = &[
    "https://a.example/p",
    "https://A.example/p",
    "https://a.example/P",
    "data:image/png;base64,AA==",
];

/// Base64.
pub(super) const BYTES: &[&str] = &["TWlzcw==", "twlzcw==", "AAECAw=="];

/// Identifiers that others gave.
pub const IDS: &[&str] = &["00u1", "00U1", "0a21f0f2", "x y", "\u{e9}"];

/// Points in time around those at which test resources are made.
pub const INSTANTS: &[&str] = &[
    "2027-01-15T08:00:00Z",
    "2027-01-15T08:00:00.000Z",
    "2027-01-15T10:30:00.0000000+02:30",
    "2027-01-14T20:00:00.1-12:00",
    "2027-01-15t08:00:00.001z",
    "1969-12-31T23:59:59Z",
    "2028-02-29T12:00:00.123456789Z",
];
