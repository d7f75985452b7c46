//! Batches: parts in order up to the first that fails; a change set is all or nothing.

use axum::http::Method;
use std::collections::HashMap;

use super::answer::{Answer, phrase};
use super::call::Call;
use super::envelope::{Part, Piece};
use super::error::{Refusal, Version};
use super::faults::Faults;
use super::run::run;
use super::state::{State, Work};

/// What came of a batch.
pub(super) struct Done {
    pub(super) answer: Answer,
    /// How many orders were written.
    pub(super) orders: u64,
}

/// The answer of a part, with its Content-ID.
type Answered = (Option<String>, Answer);

enum Outcome {
    Single(Answered),
    Changes(Vec<Answered>),
}

/// Carries out at most `most` pieces.
pub(super) fn carry_out(state: &State, faults: &Faults, version: Version, pieces: &[Piece], most: usize) -> Done {
    let mut made = HashMap::new();
    let mut outcomes = Vec::new();
    let mut orders = 0;
    for piece in pieces.iter().take(most) {
        // Others may come in between: a batch is no transaction.
        let mut store = state.store();
        let mut work = Work::new(state, &mut store, faults);
        let outcome = match piece {
            Piece::Single(part) => Outcome::Single(single(&mut work, version, part, &mut made)),
            Piece::Changes(parts) => changes(&mut work, version, parts, &mut made),
        };
        orders += work.orders;
        let failed = matches!(&outcome, Outcome::Single((_, answer)) if !answer.is_success());
        outcomes.push(outcome);
        if failed {
            break;
        }
    }
    Done { answer: write(state, faults, version, &outcomes), orders }
}

fn single(work: &mut Work<'_>, version: Version, part: &Part, made: &mut HashMap<String, String>) -> Answered {
    work.store.counters.batch_parts += 1;
    let answer = match target(version, &part.url, made) {
        Some(target) => {
            let call = Call::new(version, part.method.clone(), &target, part.headers.clone(), part.body.clone());
            run(work, &call)
        }
        None => Answer::refusal(version, &Refusal::new(400, 200, "Unrecognized resource path")),
    };
    if let (Some(id), Some(location), true) = (&part.content_id, answer.header("Location"), part.method == Method::POST)
    {
        let root = format!("{}/", version.root());
        if let Some((_, path)) = location.split_once(&root) {
            made.insert(id.clone(), path.to_owned());
        }
    }
    (part.content_id.clone(), answer)
}

fn changes(work: &mut Work<'_>, version: Version, parts: &[Part], made: &mut HashMap<String, String>) -> Outcome {
    work.store.tables.begin();
    let orders = work.orders;
    let cancelled = work.store.counters.cancelled;
    let mut done = Vec::with_capacity(parts.len());
    for part in parts {
        let outcome = single(work, version, part, made);
        if !outcome.1.is_success() {
            work.store.tables.roll_back();
            work.orders = orders;
            work.store.counters.cancelled = cancelled;
            // One part for the whole set, not wrapped in a multipart.
            return Outcome::Single(outcome);
        }
        done.push(outcome);
    }
    work.store.tables.commit();
    Outcome::Changes(done)
}

/// Where a part's URL goes, below the root; `$1` stands for what part 1 made.
fn target(version: Version, url: &str, made: &HashMap<String, String>) -> Option<String> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..))?,
        None => url,
    };
    let root = format!("{}/", version.root());
    let path =
        path.strip_prefix(&root).or_else(|| (!path.starts_with("/b1s/")).then(|| path.trim_start_matches('/')))?;
    match path.strip_prefix('$') {
        Some(reference) => {
            let end = reference.find(['/', '?']).unwrap_or(reference.len());
            let (id, rest) = reference.split_at(end);
            made.get(id).map(|path| format!("{path}{rest}"))
        }
        None => Some(path.to_owned()),
    }
}

/// The answer, part by part. In v3 there is no blank after the colon of a header; in v4 the length of a body counts the
/// line end after it.
fn write(state: &State, faults: &Faults, version: Version, outcomes: &[Outcome]) -> Answer {
    let id = state.next_id();
    let boundary = format!("batchresponse_{id}");
    let mut out = Vec::new();
    for (at, outcome) in outcomes.iter().enumerate() {
        line(&mut out, &format!("--{boundary}"));
        match outcome {
            Outcome::Single(part) => write_part(&mut out, version, part),
            Outcome::Changes(parts) => {
                let inner = format!("changesetresponse_{id}-{at}");
                line(&mut out, &header(version, "Content-Type", &format!("multipart/mixed;boundary={inner}")));
                line(&mut out, "");
                for part in parts {
                    line(&mut out, &format!("--{inner}"));
                    write_part(&mut out, version, part);
                }
                line(&mut out, &format!("--{inner}--"));
            }
        }
    }
    line(&mut out, &format!("--{boundary}--"));
    if faults.batch_line_feeds {
        out.retain(|byte| *byte != b'\r');
    }
    let status = if version == Version::V1 { 202 } else { 200 };
    Answer { status, headers: vec![("Content-Type", format!("multipart/mixed;boundary={boundary}"))], body: out }
}

fn write_part(out: &mut Vec<u8>, version: Version, (content_id, answer): &Answered) {
    line(out, &header(version, "Content-Type", "application/http"));
    line(out, &header(version, "Content-Transfer-Encoding", "binary"));
    if let Some(id) = content_id {
        line(out, &header(version, "Content-ID", id));
    }
    line(out, "");
    line(out, &format!("HTTP/1.1 {} {}", answer.status, phrase(answer.status)));
    for (name, value) in &answer.headers {
        line(out, &header(version, name, value));
    }
    if !answer.body.is_empty() {
        let length = answer.body.len() + usize::from(version == Version::V2) * 2;
        line(out, &header(version, "Content-Length", &length.to_string()));
    }
    line(out, "");
    out.extend_from_slice(&answer.body);
    line(out, "");
}

fn header(version: Version, name: &str, value: &str) -> String {
    match version {
        Version::V1 => format!("{name}:{value}"),
        Version::V2 => format!("{name}: {value}"),
    }
}

fn line(out: &mut Vec<u8>, line: &str) {
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(b"\r\n");
}
