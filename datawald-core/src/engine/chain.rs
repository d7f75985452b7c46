//! The chain of an agent and what it inherits from.

use crate::{Error, Result};

/// Checks that a chain leads on from `outermost`, where `base` answers what a link inherits from. Each step of an agent whose base is the
/// agent itself would call itself.
///
/// For [`Source::check`](super::Source::check) and [`Target::check`](super::Target::check) of sides that are made of steps.
///
/// # Errors
/// Of kind `Config`, if it does not lead on.
pub fn check_chain<'a, T: ?Sized>(outermost: &'a T, base: impl Fn(&'a T) -> &'a T) -> Result<()> {
    let mut link = outermost;
    // Longer than any chain is. What comes after its end leads on, too.
    for _ in 0..100 {
        let next = base(link);
        // Type and place are compared: an agent may begin at the same place as its base.
        if std::ptr::eq(link, next) {
            let message = "an agent's `base()` answers the agent itself, so that each step would call itself without end; let it answer \
                           the agency that the agent is over";
            return Err(Error::config("build engine", message).field("base"));
        }
        link = next;
    }
    Ok(())
}
