//! `tenant import`: members with keys of their own, from a table. Every line is checked before the
//! first is sent; who is there already is skipped, so that a broken import is simply repeated.

use core::time::Duration;
use std::collections::BTreeMap;
use std::path::Path;

use base64ct::{Base64, Encoding as _};
use chancery_authority::ActName;
use chancery_json::{Object, Value};
use chancery_keyset::{PUBLIC_KEYSET_LENGTH, PublicKeyset};
use csv::{ReaderBuilder, StringRecord, Trim};

use crate::AnchorSource;
use crate::api::{TenantSession, number};
use crate::args::tenant::TenantImportArgs;
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::files::read_table;
use crate::output::{Outcome, printable};
use crate::progress::Progress;

/// Most members of one act; the service takes no more.
const CHUNK_MEMBERS_MAX: usize = 100;

/// Largest body of one act in bytes: it is signed, and kept as evidence.
const CHUNK_BYTES_MAX: usize = 200 * 1024;

/// Most bytes of a name, as the service allows them.
const TEXT_BYTES_MAX: usize = 256;

/// Most addresses of one person.
const EMAILS_MAX: usize = 32;

/// How often a chunk is repeated when the service is busy or its outcome is not known.
const TRIES_MAX: u32 = 5;

/// How long to wait before a repetition unless the service says: two seconds.
const WAIT_S: u64 = 2;

/// Longest wait that the service may ask for, in seconds.
const WAIT_S_MAX: u64 = 60;

/// The columns, in the order of the format's description; they may stand in any order.
const COLUMNS: [&str; 5] = [
    "user_name",
    "external_id",
    "display_name",
    "emails",
    "public_keyset",
];

/// One person, checked.
#[derive(Debug, PartialEq, Eq)]
struct Member(Object);

/// Runs `tenant import`.
pub(crate) async fn run<S: AnchorSource>(
    args: &TenantImportArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let members = read_members(&read_table(&args.file)?, &args.file)?;
    let chunks = chunks(&members);
    if args.dry_run {
        let words = format!(
            "{} members in {} signed acts; every line is good. Nothing was sent.",
            members.len(),
            chunks.len()
        );
        let json = Object::new()
            .with("members", count(members.len()))
            .with("acts", count(chunks.len()))
            .with("sent", false);
        return Ok(Outcome::done(words, json));
    }
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let progress = Progress::begin("importing", count(members.len()));
    let mut total = Total::default();
    for chunk in &chunks {
        let answer = send(&mut session, chunk).await.map_err(|error| {
            progress.end();
            CliError::ImportBroken {
                done: total.done(),
                of: count(members.len()),
                source: Box::new(error),
            }
        })?;
        total.add(&answer)?;
        progress.done(total.done());
    }
    progress.end();
    Ok(total.told())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// What the acts did together.
#[derive(Debug, Default)]
struct Total {
    imported: u64,
    skipped: u64,
    index: Option<u64>,
}

impl Total {
    fn add(&mut self, answer: &Object) -> Result<(), CliError> {
        self.imported = self.imported.saturating_add(number(answer, "imported")?);
        self.skipped = self.skipped.saturating_add(number(answer, "skipped")?);
        if let Some(index) = answer.get("index").and_then(Value::as_u64) {
            self.index = Some(index);
        }
        Ok(())
    }

    fn done(&self) -> u64 {
        self.imported.saturating_add(self.skipped)
    }

    fn told(&self) -> Outcome {
        let mut words = format!(
            "{} members are imported with their keys; {} were there already.",
            self.imported, self.skipped
        );
        let mut json = Object::new()
            .with("imported", self.imported)
            .with("skipped", self.skipped);
        if let Some(index) = self.index {
            words.push_str(&format!(" The last is entry {index} of the tenant's log."));
            json = json.with("index", index);
        }
        Outcome::done(words, json)
    }
}

/// Sends one chunk, again if the service asks for patience: a repetition skips whoever is there.
async fn send<S: AnchorSource>(
    session: &mut TenantSession<'_, S>,
    chunk: &Object,
) -> Result<Object, CliError> {
    let mut tries = 1_u32;
    loop {
        let error = match session.act(ActName::TenantImport, chunk).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let Some(wait_s) = patience(&error).filter(|_| tries < TRIES_MAX) else {
            return Err(error);
        };
        tries = tries.saturating_add(1);
        tokio::time::sleep(Duration::from_secs(wait_s)).await;
    }
}

/// How long to wait before the same is tried again; none if that would be of no use.
fn patience(error: &CliError) -> Option<u64> {
    match error {
        CliError::Refused {
            status: 429 | 503,
            retry_after_s,
            ..
        } => Some(retry_after_s.unwrap_or(WAIT_S).min(WAIT_S_MAX)),
        _ => None,
    }
}

/// The bodies of the acts: as many members each as fit.
fn chunks(members: &[Member]) -> Vec<Object> {
    let mut chunks = Vec::new();
    let mut chunk: Vec<Value> = Vec::new();
    let mut bytes = 0_usize;
    for Member(member) in members {
        let size = member.to_bytes().len().saturating_add(1);
        let full = chunk.len() >= CHUNK_MEMBERS_MAX
            || bytes.saturating_add(size) > CHUNK_BYTES_MAX - FRAME_BYTES;
        if full && !chunk.is_empty() {
            chunks.push(Object::new().with("members", core::mem::take(&mut chunk)));
            bytes = 0;
        }
        bytes = bytes.saturating_add(size);
        chunk.push(member.clone().into());
    }
    if !chunk.is_empty() {
        chunks.push(Object::new().with("members", chunk));
    }
    chunks
}

/// Bytes of a body around its members.
const FRAME_BYTES: usize = 16;

/// Reads and checks the whole table.
fn read_members(text: &[u8], path: &Path) -> Result<Vec<Member>, CliError> {
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .trim(Trim::All)
        .from_reader(without_mark(text));
    let invalid = |faults: Vec<String>| CliError::TableInvalid {
        path: path.to_owned(),
        faults,
    };
    let heading = reader
        .headers()
        .map_err(|error| invalid(vec![broken(&error)]))?
        .clone();
    let columns = Columns::of(&heading).map_err(|fault| invalid(vec![fault]))?;
    let mut table = Table::default();
    for record in reader.records() {
        match record {
            Ok(record) => table.take(&record, &columns),
            Err(error) => table.faults.push(broken(&error)),
        }
    }
    if !table.faults.is_empty() {
        return Err(invalid(table.faults));
    }
    if table.members.is_empty() {
        return Err(invalid(vec!["there is no member in it".to_owned()]));
    }
    Ok(table.members)
}

/// Spreadsheets begin UTF-8 with a byte order mark.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

fn broken(error: &csv::Error) -> String {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => format!("line {line}: not UTF-8"),
        _ => format!("line {line}: not CSV"),
    }
}

/// Where each column stands in this table.
struct Columns {
    places: [usize; COLUMNS.len()],
    width: usize,
}

impl Columns {
    fn of(heading: &StringRecord) -> Result<Self, String> {
        let mut places = [0; COLUMNS.len()];
        for (place, column) in places.iter_mut().zip(COLUMNS) {
            let mut found = heading
                .iter()
                .enumerate()
                .filter(|(_, name)| *name == column);
            match (found.next(), found.next()) {
                (Some((index, _)), None) => *place = index,
                (None, _) => {
                    return Err(format!(
                        "line 1: the column {column} is missing; the columns are {}",
                        COLUMNS.join(", ")
                    ));
                }
                (Some(_), Some(_)) => {
                    return Err(format!("line 1: the column {column} stands there twice"));
                }
            }
        }
        let unknown = heading.iter().find(|name| !COLUMNS.contains(name));
        match unknown {
            Some(name) => Err(format!(
                "line 1: the column {:?} is unknown; the columns are {}",
                printable(name),
                COLUMNS.join(", ")
            )),
            None => Ok(Self {
                places,
                width: heading.len(),
            }),
        }
    }
}

/// The members read so far, and what was wrong.
#[derive(Default)]
struct Table {
    members: Vec<Member>,
    faults: Vec<String>,
    /// The line of each name, in the letters in which names are compared.
    lines: BTreeMap<String, u64>,
}

impl Table {
    fn take(&mut self, record: &StringRecord, columns: &Columns) {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != columns.width {
            self.faults.push(format!(
                "line {line}: {} columns instead of {}",
                record.len(),
                columns.width
            ));
            return;
        }
        let cell = |column: usize| {
            let place = columns.places.get(column).copied();
            place
                .and_then(|place| record.get(place))
                .unwrap_or_default()
        };
        let mut faults = Vec::new();
        let mut note = |column: &str, fault: &str| {
            faults.push(format!("line {line}, column {column}: {fault}"));
        };
        let user_name = cell(0);
        if !is_text(user_name) {
            note(
                "user_name",
                "must be 1 to 256 bytes without control characters",
            );
        } else if let Some(first) = self.lines.insert(user_name.to_lowercase(), line) {
            note(
                "user_name",
                &format!("stands on line {first} already (letters in any case are the same)"),
            );
        }
        for (column, name) in [(1, "external_id"), (2, "display_name")] {
            if !cell(column).is_empty() && !is_text(cell(column)) {
                note(name, "must be at most 256 bytes without control characters");
            }
        }
        let emails: Vec<&str> = cell(3)
            .split(';')
            .map(str::trim)
            .filter(|email| !email.is_empty())
            .collect();
        if emails.len() > EMAILS_MAX {
            note("emails", "at most 32 addresses");
        } else if !emails.iter().all(|email| is_address(email)) {
            note(
                "emails",
                "must be addresses such as ann@demo.example, separated by ;",
            );
        }
        if let Err(fault) = check_keyset(cell(4)) {
            note("public_keyset", fault);
        }
        if faults.is_empty() {
            self.members.push(member(&cell, emails));
        } else {
            self.faults.extend(faults);
        }
    }
}

fn member<'a>(cell: &impl Fn(usize) -> &'a str, emails: Vec<&str>) -> Member {
    let optional = |column: usize| match cell(column) {
        "" => Value::Null,
        text => text.into(),
    };
    let emails: Vec<Value> = emails.into_iter().map(Value::from).collect();
    let object = Object::new()
        .with("user_name", cell(0))
        .with("external_id", optional(1))
        .with("display_name", optional(2))
        .with("emails", emails)
        .with("public_keyset", cell(4));
    Member(object)
}

fn is_text(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Enough to find a mistake early; which domains are trusted, the service knows.
fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    is_text(text)
        && !text.contains(char::is_whitespace)
        && parts.is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
}

fn check_keyset(text: &str) -> Result<(), &'static str> {
    let mut bytes = [0; PUBLIC_KEYSET_LENGTH];
    let length = Base64::decode(text, &mut bytes).map_or(0, <[u8]>::len);
    if length != PUBLIC_KEYSET_LENGTH {
        return Err("must be base64 of a public keyset of 1255 bytes, as `keys show` prints it");
    }
    match PublicKeyset::decode(&bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err("is no public keyset whose keys can be used"),
    }
}

#[cfg(test)]
mod tests;
