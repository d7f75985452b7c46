//! What is sent: an envelope of requests.

use std::fmt::Write;

/// A request within a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `PATCH`.
    pub method: &'static str,
    /// Below the service root, encoded: `Orders(22)/Cancel`.
    pub path: String,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body (JSON), of whatever is no `GET`.
    pub body: Option<String>,
}

impl Request {
    /// A request that reads.
    pub fn get(path: String) -> Self {
        Self { method: "GET", path, headers: Vec::new(), body: None }
    }

    /// A request that makes something or starts an action.
    pub fn post(path: String, body: Option<String>) -> Self {
        Self { method: "POST", path, headers: Vec::new(), body }
    }

    /// A request that changes the properties in `body`.
    pub fn patch(path: String, body: String) -> Self {
        Self { method: "PATCH", path, headers: Vec::new(), body: Some(body) }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// About how many bytes it takes in a batch.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        500 + self.path.len() + headers + self.body.as_ref().map_or(0, String::len)
    }
}

/// An envelope: the value of its `Content-Type` and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The value of the header `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: String,
}

/// Writes an envelope of `requests`, each of which that writes is a change set of its own, with the place of the request,
/// counted from 1, as its `Content-ID`. `root` is the path of the service root, as `/b1s/v2/`.
pub fn envelope(root: &str, requests: &[&Request]) -> Envelope {
    let boundary = boundary(requests);
    let mut body = String::with_capacity(requests.iter().map(|request| request.size()).sum::<usize>() + 100);
    for (i, request) in requests.iter().enumerate() {
        let _ = write!(body, "--batch_{boundary}\r\n");
        if request.method == "GET" {
            body.push_str("Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n");
            write(&mut body, root, request);
        } else {
            let id = i + 1;
            let set = format!("changeset_{boundary}_{id}");
            let _ = write!(
                body,
                "Content-Type: multipart/mixed;boundary={set}\r\n\r\n--{set}\r\nContent-Type: application/http\r\n\
                 Content-Transfer-Encoding: binary\r\nContent-ID: {id}\r\n\r\n"
            );
            write(&mut body, root, request);
            let _ = write!(body, "\r\n--{set}--\r\n");
        }
    }
    let _ = write!(body, "--batch_{boundary}--\r\n");
    Envelope { content_type: format!("multipart/mixed;boundary=batch_{boundary}"), body }
}

fn write(body: &mut String, root: &str, request: &Request) {
    let _ = write!(body, "{} {root}{}\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        let _ = write!(body, "{name}: {value}\r\n");
    }
    match &request.body {
        Some(json) => {
            let _ = write!(body, "Content-Type: application/json\r\n\r\n{json}");
        }
        // A request without a body needs two empty lines.
        None => body.push_str("\r\n\r\n"),
    }
}

/// A text that stands in no request, so that no text of an order can end a part.
fn boundary(requests: &[&Request]) -> String {
    let stands = |text: &str| requests.iter().any(|it| it.body.as_ref().is_some_and(|body| body.contains(text)));
    let mut number = 0_u64;
    loop {
        let text = format!("datawald_{number}");
        if !stands(&text) {
            return text;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_reads_as_it_was_written() {
        let requests = [
            Request::get("Items('i001')".into()).header("Prefer", "odata.maxpagesize=5".into()),
            Request::post("Orders".into(), Some(r#"{"CardCode":"datawald_0"}"#.into())),
            Request::post("Orders(22)/Cancel".into(), None),
        ];
        let made = envelope("/b1s/v2/", &requests.iter().collect::<Vec<_>>());
        assert_eq!(made.content_type, "multipart/mixed;boundary=batch_datawald_1");
        assert_eq!(
            made.body.replace("\r\n", "\n"),
            "--batch_datawald_1\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\n\
             GET /b1s/v2/Items('i001')\nPrefer: odata.maxpagesize=5\n\n\n\
             --batch_datawald_1\nContent-Type: multipart/mixed;boundary=changeset_datawald_1_2\n\n\
             --changeset_datawald_1_2\nContent-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: 2\n\n\
             POST /b1s/v2/Orders\nContent-Type: application/json\n\n{\"CardCode\":\"datawald_0\"}\n\
             --changeset_datawald_1_2--\n\
             --batch_datawald_1\nContent-Type: multipart/mixed;boundary=changeset_datawald_1_3\n\n\
             --changeset_datawald_1_3\nContent-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: 3\n\n\
             POST /b1s/v2/Orders(22)/Cancel\n\n\n\n\
             --changeset_datawald_1_3--\n--batch_datawald_1--\n"
        );
    }
}
