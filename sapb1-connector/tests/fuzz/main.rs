//! A million inputs through everything of the client of the Service Layer that reads answers, and some through what reads
//! requests in its sandbox. Each is a good one that was spoilt, by numbers that are the same each time: whatever fails names
//! its seed. None makes a parser panic, and none makes it hold more memory than in proportion to what came.
//!
//! It is a program of its own with one test, since it counts what is allocated.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs)]

mod good;
mod spoil;

use peak_alloc::PeakAlloc;
use sapb1_connector::sandbox::service_layer::any_input::Parser as OfRequests;
use sapb1_connector::service_layer::any_input::Parser;

use crate::good::{HEAVY, of_answer, of_request};
use crate::spoil::Numbers;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// How many inputs the client's parsers read, over all.
const INPUTS: u64 = 1_000_000;

/// How many the sandbox's read.
const REQUESTS: u64 = 40_000;

/// The most bytes held at a time per byte that came. What is heaviest is a list of contact persons without anything, `{},`
/// each, or of objects with one member, `{"":0},` each, while the list moves to where it has twice the room.
const FACTOR: usize = 128;

/// What may be held however little came.
const CONSTANT: usize = 4 << 10;

/// The seed that is in hand, told if it ends in a panic.
struct Seed<'a>(u64, &'a str);

impl Drop for Seed<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it was seed {} of {}", self.0, self.1);
        }
    }
}

/// How many inputs there were of a parser, how many of them it understood, and the most that it held per byte.
#[derive(Default)]
struct Counted {
    inputs: u64,
    understood: u64,
    factor: usize,
}

fn read(seed: u64, name: &str, good: &[&[u8]], reads: impl Fn(&[u8]) -> bool, counted: &mut Counted) {
    let _seed = Seed(seed, name);
    let input = Numbers(seed).spoilt(good);
    let (understood, factor) = measured(&input, reads);
    counted.inputs += 1;
    counted.understood += u64::from(understood);
    counted.factor = counted.factor.max(factor);
}

/// Whether an input is understood, and how many bytes more than [`CONSTANT`] were held for each of its bytes.
fn measured(input: &[u8], reads: impl Fn(&[u8]) -> bool) -> (bool, usize) {
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let understood = reads(input);
    let held = ALLOCATED.peak_usage().saturating_sub(before);
    let factor = held.saturating_sub(CONSTANT) / input.len().max(1);
    assert!(factor <= FACTOR, "{held} bytes were held for {} that came", input.len());
    (understood, factor)
}

#[test]
fn a_million_inputs_break_nothing_and_take_little_memory() {
    let mut all: Vec<(String, Counted, u64)> = Vec::new();
    // What is built once and kept is no part of what one input takes.
    Parser::ALL.iter().for_each(|parser| _ = parser.reads(of_answer(*parser)[0]));
    OfRequests::ALL.iter().for_each(|parser| _ = parser.reads(of_request(*parser)[0]));
    for (place, parser) in Parser::ALL.into_iter().enumerate() {
        let (name, good) = (format!("{parser:?}"), of_answer(parser));
        for input in &good {
            assert!(parser.reads(input), "{name} understands {}", String::from_utf8_lossy(input));
        }
        let mut counted = Counted::default();
        for seed in (0..INPUTS).filter(|seed| seed % Parser::ALL.len() as u64 == place as u64) {
            read(seed, &name, &good, |input| parser.reads(input), &mut counted);
        }
        all.push((name, counted, 20));
    }
    assert_eq!(all.iter().map(|(_, counted, _)| counted.inputs).sum::<u64>(), INPUTS);
    for (place, parser) in OfRequests::ALL.into_iter().enumerate() {
        let (name, good) = (format!("{parser:?} of a request"), of_request(parser));
        let mut counted = Counted::default();
        for seed in (0..REQUESTS).filter(|seed| seed % OfRequests::ALL.len() as u64 == place as u64) {
            read(seed, &name, &good, |input| parser.reads(input), &mut counted);
        }
        // Names are checked too, of which any other is refused.
        all.push((name, counted, 100));
    }
    for (parser, head, repeated, tail) in HEAVY {
        let mut factors = Vec::new();
        // The list has just moved at one of these lengths.
        for kib in [10, 100, 120, 140, 160, 180, 200, 1_000] {
            let input = format!("{head}{}{tail}", repeated.repeat((kib << 10) / repeated.len()));
            factors.push(measured(input.as_bytes(), |input| parser.reads(input)).1);
        }
        eprintln!("{parser:?}, many of {repeated:?}: {factors:?} bytes held per byte");
    }
    for (name, Counted { inputs, understood, factor }, share) in &all {
        eprintln!("{name}: {understood} of {inputs} understood, {factor} bytes held per byte");
        // Deep enough to matter: what is all refused at the first byte proves nothing.
        assert!(understood * share > *inputs && understood < inputs, "{name}: {understood} of {inputs} understood");
    }
}
