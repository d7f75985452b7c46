//! Removes one rule after the other and runs the simulation until that tells: see [`datawald_tests::mutants`].

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;
use datawald_tests::mutants::{Built, End, List, Mutation};

/// Removes one rule after the other from the engine, and runs the simulation until that tells what is wrong.
#[derive(Debug, Parser)]
struct Args {
    /// Only these mutations of tests/mutations.toml
    names: Vec<String>,

    /// Schedules within which a mutation has to be caught
    #[arg(long, default_value_t = 2_000)]
    schedules: u64,

    /// Schedules that have to pass before, with all rules in place
    #[arg(long, default_value_t = 300)]
    sound: u64,

    /// Mutations that are run side by side
    #[arg(long, default_value_t = 1)]
    jobs: usize,
}

fn main() -> ExitCode {
    match mutants(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers whether all mutations were caught.
fn mutants(args: &Args) -> Result<bool, String> {
    let workspace = List::workspace();
    let list = List::read(&workspace)?;
    let mutations = list.named(&args.names)?;
    let built = Built::new(&list, &workspace)?;
    let sound = built.run(None, args.sound)?;
    if let Some(caught) = sound.caught {
        return Err(format!(
            "with all rules in place, schedule {} shows {}: {}",
            caught.schedule, caught.kind, caught.what
        ));
    }
    if let Some(failure) = sound.failure {
        return Err(format!("with all rules in place the simulation fails:\n{failure}"));
    }
    eprintln!("{} schedules with all rules in place: nothing wrong, {:.0?}", args.sound, sound.took);
    let ends = run_all(&built, &mutations, args)?;
    println!("| without the rule | mutation | what was wrong | in schedule | seconds |\n|---|---|---|---|---|");
    for (Mutation { name, rule, .. }, end) in mutations.iter().zip(&ends) {
        let (wrong, schedule) = match &end.caught {
            Some(caught) => (caught.kind.clone(), caught.schedule.to_string()),
            None => ("**nothing**".to_owned(), format!("of {}", args.schedules)),
        };
        println!("| {rule} | `{name}` | {wrong} | {schedule} | {:.1} |", end.took.as_secs_f64());
    }
    let caught = ends.iter().filter(|end| end.caught.is_some()).count();
    eprintln!("{caught} of {} caught", ends.len());
    Ok(caught == ends.len())
}

/// Runs mutations, so many at a time; the ends in their order.
fn run_all(built: &Built, mutations: &[&Mutation], args: &Args) -> Result<Vec<End>, String> {
    let next = AtomicUsize::new(0);
    let ends: Mutex<Vec<(usize, Result<End, String>)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(mutation) = mutations.get(at) else { return };
                    let end = built.run(Some(&mutation.name), args.schedules);
                    tell(&mutation.name, &end);
                    ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, end));
                }
            });
        }
    });
    let mut ends = ends.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    ends.sort_by_key(|(at, _)| *at);
    ends.into_iter().map(|(_, end)| end).collect()
}

fn tell(name: &str, end: &Result<End, String>) {
    match end {
        Ok(End { caught: Some(caught), took, .. }) => {
            eprintln!("{name}: schedule {}, {took:.1?}: {}: {}", caught.schedule, caught.kind, caught.what);
        }
        Ok(End { failure: Some(failure), .. }) => eprintln!("{name}: the simulation fails otherwise:\n{failure}"),
        Ok(End { reached: false, took, .. }) => eprintln!("{name}: NOT CAUGHT, and never come by, {took:.1?}"),
        Ok(End { took, .. }) => eprintln!("{name}: NOT CAUGHT, {took:.1?}"),
        Err(error) => eprintln!("{name}: {error}"),
    }
}
