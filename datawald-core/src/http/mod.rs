//! The HTTP layer that every client of a foreign system shares: TLS, limits, and errors with the right disposition.

mod body;
mod certificate;
mod client;
mod login;
mod redirect;
mod transport;

pub use client::{Http, HttpRequest, HttpResponse, HttpSettings};
pub use login::LoginGuard;
pub use transport::{Answered, Broken, Carried, Cause, Transport};
