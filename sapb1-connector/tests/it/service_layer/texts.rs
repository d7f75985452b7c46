//! Any text reaches the server as it is.

use proptest::prelude::*;
use sapb1_connector::service_layer::batch::{Answer, Request, envelope, read};
use sapb1_connector::service_layer::link::{query, quoted};
use serde_json::Value;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn any_text_stands_in_a_filter_as_it_is(text in ".{0,60}") {
        let root: url::Url = "https://b1.example.com:50000/b1s/v2/".parse().unwrap();
        let path = query("Orders", &[("$filter", &format!("NumAtCard eq {}", quoted(&text))), ("$top", "1")]);
        let url = root.join(&path).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        prop_assert_eq!(pairs.len(), 2);
        let within = pairs[0].1.strip_prefix("NumAtCard eq '").unwrap().strip_suffix('\'').unwrap();
        prop_assert_eq!(within.replace("''", "'"), text);
    }

    #[test]
    fn an_envelope_reads_back_as_many_parts(bodies in proptest::collection::vec(".{0,60}", 1..8)) {
        let requests: Vec<Request> = bodies.iter().map(|text| Request::post("Orders".into(), Some(Value::from(text.as_str()).to_string()))).collect();
        let made = envelope("/b1s/v2/", &requests.iter().collect::<Vec<_>>());
        // Requests are no answers, but they are divided alike.
        let divided = made.body.replace("POST /b1s/v2/Orders", "HTTP/1.1 201 Created");
        let answers = read(Some(&made.content_type), divided.as_bytes()).unwrap();
        prop_assert_eq!(answers.len(), bodies.len());
        for (answer, text) in answers.iter().zip(&bodies) {
            let Answer::Set(parts) = answer else { panic!("no change set") };
            let read: String = serde_json::from_slice(parts[0].body).unwrap();
            prop_assert_eq!(&read, text);
        }
    }
}
