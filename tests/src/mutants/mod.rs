//! Mutations: the engine with one of its rules removed, each of which the simulation has to catch.
//!
//! A simulation that finds nothing says little unless it would find something. `tests/mutations.toml` lists the rules that
//! keep orders from being lost, doubled or taken for another: each with the place where it stands in the code, and what
//! would stand there without it. The program `mutants` takes one rule away at a time and runs the simulation until that
//! tells what is wrong.
//!
//! ```console
//! $ cargo run --release -p datawald-tests --bin mutants
//! $ cargo run --release -p datawald-tests --bin mutants -- settle-delay overlap
//! ```
//!
//! It prints a table in Markdown: the rule, what was wrong without it, in which schedule that showed first, and how long that
//! took. It ends with failure if a mutation was not caught within 2,000 schedules. Nothing of this is in the shipped code:
//! mutations are made in a copy of the workspace below `target/mutants`, all at once, each behind a switch that the
//! environment variable `DATAWALD_MUTANT` turns on. So the copy is built once, and without that variable it has to pass.
//!
//! It is not cargo-mutants, which makes mutations up and builds the crates anew for each: here each takes a rule of the
//! design away, most of them more than one expression long, and all of them share one build.
//!
//! # The list
//!
//! ```toml
//! [[mutation]]
//! name = "overlap"
//! rule = "a pull begins an overlap window before the last cut"
//!
//! [[mutation.edit]]
//! file = "datawald-core/src/engine/cut.rs"
//! find = "earlier(cut.cut_dt, self.shared.settings.overlap())"
//! replace = "cut.cut_dt"
//! ```
//!
//! `find` is an expression, or statements if it ends in `;` or `}`, and stands in its file exactly once, or in a piece of it
//! that does (`within`): a list that does not fit the code any more is refused, by the program and by a test of each test
//! run. Several mutations may change the same place, but none a part of another's.

mod copy;
mod list;
mod run;
mod switch;

pub use copy::copy;
pub use list::{Edit, List, Mutation};
pub use run::{Built, Caught, End};
