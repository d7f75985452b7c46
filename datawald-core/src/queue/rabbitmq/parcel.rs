//! A task on the wire: its body is JSON, what the queue itself needs is in headers.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use crate::model::FlowId;
use crate::queue::TaskMessage;
use crate::{Error, Result};

/// The version of what is written here.
const VERSION: u64 = 1;

const VERSION_HEADER: &str = "datawald-version";
/// How often the task had been delivered when this copy of it was published.
const DELIVERED_HEADER: &str = "datawald-delivered";
const REASON_HEADER: &str = "datawald-reason";
/// RabbitMQ's own count of redeliveries of this copy.
const BROKER_COUNT_HEADER: &str = "x-delivery-count";

/// The longest reason, in bytes: headers must fit into a frame.
const LONGEST_REASON: usize = 8_192;

/// A body and its properties, ready to be published.
pub(super) struct Parcel {
    pub(super) body: Vec<u8>,
    pub(super) properties: BasicProperties,
}

impl Parcel {
    /// A task that has never been delivered.
    pub(super) fn task(message: &TaskMessage) -> Result<Self> {
        Self::new(message, FieldTable::default())
    }

    /// A task to be delivered again after `millis`, having been delivered `times` times.
    pub(super) fn retry(message: &TaskMessage, times: u32, millis: u64) -> Result<Self> {
        let mut headers = FieldTable::default();
        headers.insert(DELIVERED_HEADER.into(), AMQPValue::LongLongInt(times.into()));
        let mut parcel = Self::new(message, headers)?;
        parcel.properties = parcel.properties.with_expiration(millis.to_string().into());
        Ok(parcel)
    }

    /// A task to be set aside.
    pub(super) fn dead(message: &TaskMessage, reason: &str) -> Result<Self> {
        let mut end = reason.len().min(LONGEST_REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let reason = reason.get(..end).unwrap_or_default();
        let mut headers = FieldTable::default();
        headers.insert(REASON_HEADER.into(), AMQPValue::LongString(reason.into()));
        Self::new(message, headers)
    }

    fn new(message: &TaskMessage, mut headers: FieldTable) -> Result<Self> {
        let body = serde_json::to_vec(message)
            .map_err(|error| Error::config("write task", "the task cannot be written as JSON").caused_by(error))?;
        headers.insert(VERSION_HEADER.into(), AMQPValue::LongLongInt(VERSION.cast_signed()));
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_type("datawald.task".into())
            .with_delivery_mode(2)
            .with_headers(headers);
        Ok(Self { body, properties })
    }
}

/// Reads a task from the queue of `flow`; what is wrong with it if it is none, without anything of its content.
pub(super) fn read(
    flow: &FlowId,
    body: &[u8],
    properties: &BasicProperties,
) -> std::result::Result<TaskMessage, String> {
    // Without the header it may have been put there by hand, which is welcome.
    if let Some(version) = header(properties, VERSION_HEADER)
        && number(version) != Some(VERSION)
    {
        let version = number(version).map_or_else(|| "unknown".to_owned(), |version| version.to_string());
        return Err(format!(
            "is a task of version {version}; this program reads version {VERSION}: bring it up to date"
        ));
    }
    let message: TaskMessage = serde_json::from_slice(body).map_err(|error| {
        let what = if body.is_empty() {
            "is empty"
        } else if error.is_data() {
            "is JSON, but no task"
        } else {
            "is no JSON"
        };
        format!(
            "is no task: the body ({} bytes) {what}, at line {} column {}",
            body.len(),
            error.line(),
            error.column()
        )
    })?;
    if message.flow != *flow {
        return Err(format!("is a task of the flow {}, in the queue of {flow}", message.flow));
    }
    Ok(message)
}

/// How often a task has been delivered before: by us, and by RabbitMQ since.
pub(super) fn delivered_before(properties: &BasicProperties, redelivered: bool) -> u32 {
    let count = |name| header(properties, name).and_then(number).unwrap_or_default();
    let broker = count(BROKER_COUNT_HEADER).max(redelivered.into());
    u32::try_from(count(DELIVERED_HEADER).saturating_add(broker)).unwrap_or(u32::MAX)
}

/// Why a message lies in the queue of dead letters; `unread` is what is wrong with it if it is no task.
pub(super) fn reason(properties: &BasicProperties, unread: Option<&str>) -> String {
    if let Some(reason) = header(properties, REASON_HEADER).and_then(string) {
        return reason;
    }
    if let Some(unread) = unread {
        return unread.to_owned();
    }
    match header(properties, "x-first-death-reason").and_then(string).as_deref() {
        Some("delivery_limit") => {
            "was delivered over and over without being acknowledged, until RabbitMQ's delivery limit: \
                                   whoever received it died or lost its connection each time"
                .to_owned()
        }
        Some(reason) => format!("was set aside by RabbitMQ ({reason})"),
        None => "lies there without a reason: somebody put it there by hand".to_owned(),
    }
}

fn header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
    properties.headers().as_ref()?.inner().get(name)
}

fn string(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// A number, whatever its width.
fn number(value: &AMQPValue) -> Option<u64> {
    let number = match value {
        AMQPValue::ShortShortInt(number) => i64::from(*number),
        AMQPValue::ShortShortUInt(number) => i64::from(*number),
        AMQPValue::ShortInt(number) => i64::from(*number),
        AMQPValue::ShortUInt(number) => i64::from(*number),
        AMQPValue::LongInt(number) => i64::from(*number),
        AMQPValue::LongUInt(number) => i64::from(*number),
        AMQPValue::LongLongInt(number) => *number,
        _ => return None,
    };
    u64::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Table;

    fn message() -> TaskMessage {
        TaskMessage { flow: FlowId::new(Table::Orders, "mage2"), keys: vec!["1".into()], sync_task: None }
    }

    #[test]
    fn a_task_is_read_as_it_was_written() {
        let parcel = Parcel::retry(&message(), 3, 1_500).unwrap();
        assert_eq!(read(&message().flow, &parcel.body, &parcel.properties), Ok(message()));
        assert_eq!(delivered_before(&parcel.properties, false), 3);
        assert_eq!(delivered_before(&parcel.properties, true), 4);
        assert_eq!(parcel.properties.expiration().as_ref().unwrap().as_str(), "1500");
        let by_hand = BasicProperties::default();
        assert_eq!(read(&message().flow, &parcel.body, &by_hand), Ok(message()));
        assert_eq!(delivered_before(&by_hand, false), 0);
    }

    #[test]
    fn what_is_no_task_is_told_without_its_content() {
        let none = BasicProperties::default();
        let wrong = |body: &str| read(&message().flow, body.as_bytes(), &none).unwrap_err();
        assert_eq!(wrong(""), "is no task: the body (0 bytes) is empty, at line 1 column 0");
        assert!(wrong("secret").contains("(6 bytes) is no JSON, at line 1 column 1"));
        let other = wrong(r#"{"flow":"secret"}"#);
        assert!(other.contains("is JSON, but no task") && !other.contains("secret"), "{other}");
        let other = TaskMessage { flow: FlowId::new(Table::Products, "mage2"), ..message() };
        let parcel = Parcel::task(&other).unwrap();
        let wrong = read(&message().flow, &parcel.body, &parcel.properties).unwrap_err();
        assert_eq!(wrong, "is a task of the flow products of mage2, in the queue of orders of mage2");
        let mut headers = FieldTable::default();
        headers.insert(VERSION_HEADER.into(), AMQPValue::ShortShortUInt(2));
        let newer = BasicProperties::default().with_headers(headers);
        assert!(read(&message().flow, b"", &newer).unwrap_err().starts_with("is a task of version 2;"));
    }

    #[test]
    fn long_reasons_are_cut() {
        let parcel = Parcel::dead(&message(), &"ü".repeat(LONGEST_REASON)).unwrap();
        assert_eq!(reason(&parcel.properties, None).len(), LONGEST_REASON);
        let parcel = Parcel::dead(&message(), "why").unwrap();
        assert_eq!(reason(&parcel.properties, Some("other")), "why");
    }
}
