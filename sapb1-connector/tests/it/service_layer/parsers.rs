//! The parsers take whatever comes.

use proptest::prelude::*;
use sapb1_connector::service_layer::answer::{LoggedIn, Marks, Page, key_in_location};
use sapb1_connector::service_layer::batch::{Answer, Request, envelope, fates, read};
use sapb1_connector::service_layer::error::Problem;
use sapb1_connector::service_layer::link::{query, quoted, resolve};
use serde_json::Value;

/// Pieces that answers to batches are made of, in any order, with anything between.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"--b\r\n".to_vec()),
        Just(b"--b--".to_vec()),
        Just(b"--c\n".to_vec()),
        Just(b"--c--\n".to_vec()),
        Just(b"Content-Type: application/http\r\n".to_vec()),
        Just(b"Content-Type:multipart/mixed;boundary=c\n".to_vec()),
        Just(b"Content-Type: multipart/mixed\n".to_vec()),
        Just(b"Content-ID:1\n".to_vec()),
        Just(b"HTTP/1.1 201 Created\r\n".to_vec()),
        Just(b"HTTP/1.1 99999999999\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"{\"DocEntry\": 22}".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn answers_to_batches_never_panic(body in pieces(), content_type in proptest::option::of(".{0,40}")) {
        for content_type in [Some("multipart/mixed;boundary=b"), None, content_type.as_deref()] {
            if let Ok(answers) = read(content_type, &body) {
                // What is read borrows from what came, and there is no more of it than came.
                let parts = |answer: &Answer<'_>| match answer { Answer::One(_) => 1, Answer::Set(parts) => parts.len() };
                prop_assert!(answers.iter().map(parts).sum::<usize>() <= body.len());
                for count in [0, 1, answers.len(), answers.len() + 1] {
                    prop_assert_eq!(fates(answers.clone(), count).len(), count);
                }
            }
        }
    }

    #[test]
    fn other_answers_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,60}") {
        for body in [&body[..], text.as_bytes()] {
            let _ = (Page::<Value>::read(body), Marks::read(body), LoggedIn::read(body), Problem::read(body));
        }
        let root = "https://b1.example.com:50000/b1s/v2/".parse().unwrap();
        if let Some(url) = resolve(&root, &text) {
            prop_assert!(url.as_str().starts_with(root.as_str()));
        }
        let _ = key_in_location(&text, "Orders");
    }

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
