//! The transcript in the docs, replayed.
