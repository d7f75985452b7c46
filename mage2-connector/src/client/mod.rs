//! The REST client: settings, credentials, searching, paging, and errors in Magento's own words.
//!
//! [`Mage2Client`] speaks `/rest/<store>/V1` over [`datawald_core::http`], which sets the limits (time-outs, size of an
//! answer) and sorts failures by what they mean. What is Magento's own is here:
//!
//! * `settings`, `credentials`: what is configured, read from TOML with errors that name the key;
//! * `token`: the admin token, renewed before its four hours are over and once after a 401;
//! * `oauth`: the OAuth 1.0a signature, HMAC-SHA256;
//! * `criteria`: `searchCriteria`, encoded as Magento reads it;
//! * `answer`: error answers with their parameters filled in;
//! * `paging`: orders in the order of their last change, by keyset;
//! * `rows`: what a search answers, and when that is none;
//! * `unreadable`: orders that Magento cannot give, and what stands in for them;
//! * `surrogates`: halves of characters, which no text can hold.

mod answer;
mod connection;
mod count;
mod credentials;
mod criteria;
mod oauth;
mod paging;
mod rows;
mod settings;
mod surrogates;
mod time;
mod token;
mod unreadable;

pub use answer::render_message;
pub use connection::Mage2Client;
pub use credentials::{AdminLogin, Credentials, OAuth1Keys};
pub use criteria::{Condition, Direction, SearchCriteria, path_segment};
pub use oauth::{base_string, hmac_sha256_signature};
pub use settings::Mage2Settings;
pub use time::{format_time, parse_time};
pub(crate) use unreadable::check as check_readable;
