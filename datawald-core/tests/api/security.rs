//! Who is refused, and what hostile requests come to.
