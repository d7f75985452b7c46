//! What a queue hands out: deliveries, and what was set aside.

use std::any::Any;
use std::fmt;

use super::TaskMessage;

/// A message in the hands of one receiver, until it is acknowledged or put back.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: TaskMessage,
    /// How often it has been delivered before.
    pub redelivered: u32,
    /// What the queue needs to acknowledge it.
    pub receipt: Receipt,
}

/// What a queue keeps with a delivery to know it again. Only the queue that made it can open it.
///
/// It is dropped with the delivery, so that a queue can tell that a receiver gave up without a word.
pub struct Receipt(Option<Box<dyn Any + Send + Sync>>);

impl Receipt {
    /// For a queue that needs none.
    pub fn none() -> Self {
        Self(None)
    }

    /// A receipt that holds `mark`.
    pub fn new<T: Any + Send + Sync>(mark: T) -> Self {
        Self(Some(Box::new(mark)))
    }

    /// What it holds, if that is a `T`: a delivery of another kind of queue has something else, or nothing.
    pub fn open<T: Any>(self) -> Option<T> {
        self.0?.downcast().ok().map(|mark| *mark)
    }

    /// A look at what it holds, if that is a `T`.
    pub fn peek<T: Any>(&self) -> Option<&T> {
        self.0.as_ref()?.downcast_ref()
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Receipt" } else { "Receipt::none" })
    }
}

/// A message that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The task. `None` where what lay in the queue is no task: a body that somebody else put there, or a damaged one.
    pub message: Option<TaskMessage>,
    /// Why it was set aside. Of a body that is no task it says what is wrong with it, never what is in it.
    pub reason: String,
}
