//! The engine.
mod flow;
pub use flow::{Cursor, Done, FetchQuery, Source, SourcePage, Target};
