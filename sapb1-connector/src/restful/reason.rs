//! Why an order was not made or cancelled, so that a merchant understands it.

use datawald_core::{Disposition, Result};
use datawald_core::{Error, ErrorKind};

use super::traceback::Traceback;
use super::wire::{WireOrder, native_name};

/// The failure of an order that the service reports as failed.
///
/// The service makes the document and *then* asks the database for its key: a failure of that question is reported as
/// a failed order although the document is there. Such ones, and those of a broken connection to SAP B1, are uncertain.
pub(super) fn insert_failure(operation: &'static str, order: &WireOrder<'_>, note: &str) -> Error {
    let trace = Traceback::read(note, &order.personal());
    if may_have_been_done(&trace) {
        return uncertain(operation, &trace);
    }
    match trace.class.as_str() {
        "KeyError" => {
            let key = trace.message.trim_matches(|c| matches!(c, '\'' | '"' | 'u'));
            Error::refused(operation, "is missing, and SAP B1 RESTful makes no order without it")
                .field(native_name(key).unwrap_or(key))
        }
        // The service stumbles over its own error handling when it cannot make the contact person.
        "AttributeError" if trace.message.contains("'company'") => Error::refused(
            operation,
            format!(
                "SAP B1 refuses to make the contact person and its service does not tell why: is there a customer `{}`?",
                order.card_code
            ),
        )
        .field("CardCode"),
        // What the service does on a name that the database does not have: it indexes the row that is not there.
        "TypeError" if trace.message.contains("NoneType") => Error::refused(operation, unknown_names(order)),
        _ => match own_words(&trace.message) {
            Some((code, text)) => Error::refused(operation, format!("SAP B1 refuses the order: {text}")).code(code),
            None => Error::refused(operation, format!("SAP B1 refuses the order: {}", trace.summary())),
        },
    }
}

/// The failure of a cancellation that the service reports as failed.
pub(super) fn cancel_failure(operation: &'static str, note: &str) -> Error {
    let trace = Traceback::read(note, &[]);
    if trace.message.ends_with("is not found.") {
        let message = "is not in SAP B1 under this number, so it cannot be cancelled there";
        return Error::new(ErrorKind::NotFound, Disposition::Rejected, operation, message);
    }
    if may_have_been_done(&trace) {
        return uncertain(operation, &trace);
    }
    let message = if trace.class == "AttributeError" {
        // The service stumbles over its own error handling and so hides SAP's text.
        "SAP B1 refuses to cancel the order and its service does not tell why: is it delivered, invoiced, closed or \
         cancelled already?"
            .to_owned()
    } else {
        format!("SAP B1 refuses to cancel the order: {}", trace.summary())
    };
    Error::refused(operation, message)
}

fn may_have_been_done(trace: &Traceback) -> bool {
    let class = trace.class.as_str();
    let broken =
        ["IndexError", "OperationalError", "InterfaceError", "DatabaseError", "_mssql", "pymssql", "MemoryError"];
    let message = trace.message.to_lowercase();
    broken.iter().any(|name| class.contains(name))
        || (class.contains("com_error")
            && (message.contains("remote procedure call") || message.contains("rpc server")))
}

fn uncertain(operation: &'static str, trace: &Traceback) -> Error {
    let message = format!("SAP B1 RESTful failed in a way that may come after the work was done: {}", trace.summary());
    Error::new(ErrorKind::Protocol, Disposition::Uncertain, operation, message)
}

fn unknown_names(order: &WireOrder<'_>) -> String {
    let freight = order.expenses_freightname.as_deref().map(|name| format!("the freight `{name}`"));
    let transport = order.transport_name.as_deref().map(|name| format!("the way of transport `{name}`"));
    match (freight, transport) {
        (None, None) => "SAP B1 does not know a name that the order uses".to_owned(),
        (Some(one), None) | (None, Some(one)) => {
            format!("SAP B1 does not know {one}: set it up there, or correct the name in the settings")
        }
        (Some(freight), Some(transport)) => format!(
            "SAP B1 does not know {freight} or {transport}: set them up there, or correct the names in the settings"
        ),
    }
}

/// SAP's own code and text out of `(-10, u'text')`.
fn own_words(message: &str) -> Option<(&str, &str)> {
    let (code, text) = message.strip_prefix('(')?.strip_suffix(')')?.split_once(", ")?;
    code.parse::<i64>().ok()?;
    let text = text.trim_start_matches('u');
    let text = text.trim_matches(|c| matches!(c, '\'' | '"'));
    (!text.is_empty()).then_some((code, text))
}

/// A key as the service gives it: `DocEntry`, a number.
pub(super) fn doc_entry(operation: &'static str, key: Option<&str>) -> Result<String> {
    match key {
        Some(key) if !key.is_empty() && key.len() <= 20 && key.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(key.to_owned())
        }
        _ => Err(no_trust(operation, "the answer reports success without the document's number")),
    }
}

/// An answer that cannot be trusted after a write.
pub(super) fn no_trust(operation: &'static str, message: &str) -> Error {
    Error::new(ErrorKind::Protocol, Disposition::Uncertain, operation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saps_own_words() {
        assert_eq!(own_words("(-10, u'Item is inactive')"), Some(("-10", "Item is inactive")));
        assert_eq!(own_words("Item is inactive"), None);
        assert_eq!(own_words("(x, 'y')"), None);
    }

    #[test]
    fn failures_after_the_document_may_be_there() {
        let order = WireOrder::default();
        for note in [
            "IndexError: list index out of range",
            "pymssql.OperationalError: (20006, 'DB-Lib error')",
            "com_error: (-2147023170, 'The remote procedure call failed.', None, None)",
        ] {
            assert_eq!(insert_failure("insert", &order, note).disposition(), Disposition::Uncertain, "{note}");
        }
        let refused = insert_failure("insert", &order, "com_error: (-2147352567, 'Exception occurred.')");
        assert_eq!(refused.disposition(), Disposition::Rejected);
    }

    #[test]
    fn missing_keys_are_named_as_the_document_names_them() {
        let error = insert_failure("insert", &WireOrder::default(), "KeyError: 'billto_zipcode'");
        assert_eq!(error.field_path(), Some("AddressExtension.BillToZipCode"));
        assert_eq!(error.disposition(), Disposition::Rejected);
    }

    #[test]
    fn unknown_names_are_told() {
        let mut order = WireOrder::default();
        order.transport_name = Some("Zeppelin".into());
        let note = "TypeError: 'NoneType' object has no attribute '__getitem__'";
        assert!(insert_failure("insert", &order, note).message().contains("`Zeppelin`"));
    }

    #[test]
    fn cancellations() {
        let missing = cancel_failure("cancel", "Exception: Order 000000011 is not found.");
        assert_eq!((missing.kind(), missing.disposition()), (ErrorKind::NotFound, Disposition::Rejected));
        let hidden = cancel_failure("cancel", "AttributeError: 'SAPB1Adaptor' object has no attribute 'company'");
        assert!(hidden.message().contains("does not tell why"));
    }
}
