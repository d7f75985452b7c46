//! The ladder of delays.
//!
//! RabbitMQ delays nothing by itself; a message waits out a time to live in a queue without receivers, and is then moved to
//! where it belongs. Messages expire only at the head of a queue, so that a short delay behind a long one would wait for it:
//! there is a queue per step of a ladder. Each message carries its own exact time to live, and the queue's step is the
//! longest that it may wait behind another. If the queue of tasks is full or was deleted when the time is over, RabbitMQ keeps
//! the message and tries again three minutes later.

use std::time::Duration;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The steps, shortest first. A queue is made for one when it is first needed, and goes when it is not needed any more.
///
/// RabbitMQ counts milliseconds in 32 bits: 49 days are the most it can do.
pub(super) const RUNGS: [Duration; 20] = [
    ms(100),
    ms(250),
    ms(500),
    s(1),
    s(2),
    s(5),
    s(10),
    s(30),
    s(MINUTE),
    s(2 * MINUTE),
    s(5 * MINUTE),
    s(10 * MINUTE),
    s(30 * MINUTE),
    s(HOUR),
    s(3 * HOUR),
    s(6 * HOUR),
    s(12 * HOUR),
    s(DAY),
    s(7 * DAY),
    LONGEST,
];

/// The longest delay.
pub(super) const LONGEST: Duration = s(45 * DAY);

/// How long a queue of delays lives on after its last use, beside its own delay. RabbitMQ counts declaring it as a use, but
/// not publishing to it.
pub(super) const LINGERS: Duration = s(10 * MINUTE);

/// How old a declaration may be when a message is published. With it, a queue outlives every message in it.
pub(super) const DECLARED_AGAIN: Duration = s(5 * MINUTE);

/// The step for a delay of `after`, and the delay in whole milliseconds, rounded up.
pub(super) fn rung(after: Duration) -> (Duration, u64) {
    let after = after.min(LONGEST);
    let millis = u64::try_from(after.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    let rung = RUNGS.iter().copied().find(|rung| *rung >= ms(millis)).unwrap_or(LONGEST);
    (rung, millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_rounded_up() {
        assert_eq!(rung(Duration::ZERO), (ms(100), 0));
        assert_eq!(rung(Duration::from_nanos(1)), (ms(100), 1));
        assert_eq!(rung(ms(100)), (ms(100), 100));
        assert_eq!(rung(Duration::from_micros(100_001)), (ms(250), 101));
        assert_eq!(rung(s(HOUR + 1)), (s(3 * HOUR), 3_601_000));
        assert_eq!(rung(Duration::MAX), (LONGEST, 45 * DAY * 1_000));
        assert!(RUNGS.is_sorted());
        assert!((LONGEST + LINGERS).as_millis() <= u128::from(u32::MAX), "more than RabbitMQ can count");
        assert!(DECLARED_AGAIN < LINGERS);
    }
}
