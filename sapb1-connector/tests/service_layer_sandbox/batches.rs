use serde_json::{Value, json};

use crate::common::*;

fn part(id: Option<&str>, request: &str, body: Option<&Value>) -> String {
    let id = id.map(|id| format!("Content-ID: {id}\r\n")).unwrap_or_default();
    let head = format!("Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n{id}\r\n{request}\r\n");
    match body {
        Some(body) => format!("{head}Content-Type: application/json\r\n\r\n{body}\r\n"),
        None => format!("{head}\r\n\r\n"),
    }
}

fn changes(parts: &[String]) -> String {
    let inside: String = parts.iter().map(|part| format!("--c\r\n{part}")).collect();
    format!("Content-Type: multipart/mixed;boundary=c\r\n\r\n{inside}--c--\r\n")
}

async fn batch(caller: &Caller, parts: &[String]) -> Got {
    let inside: String = parts.iter().map(|part| format!("--b\r\n{part}")).collect();
    let kind = [("content-type", "multipart/mixed;boundary=b")];
    caller.send("POST", "$batch", Some(format!("{inside}--b--\r\n")), &kind).await.unwrap()
}

/// The statuses in an answer, in order.
fn statuses(got: &Got) -> Vec<u16> {
    let lines = got.text().lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    lines.map(|line| line[..3].parse().unwrap()).collect()
}

fn add_order(id: Option<&str>, number: &str) -> String {
    part(id, "POST /b1s/v1/Orders", Some(&order(number)))
}

#[tokio::test]
async fn a_batch_stops_at_the_first_failing_part() {
    let (sandbox, caller) = start(options()).await;
    sandbox.set_faults(faults(|faults| faults.refuse_numbers = ["3".to_owned()].into()));
    let parts: Vec<String> = ["1", "2", "3", "4"].iter().map(|number| add_order(None, number)).collect();
    let got = batch(&caller, &parts).await;
    assert_eq!((got.status, statuses(&got)), (202, vec![201, 201, 400]));
    assert!(got.header("content-type").unwrap().starts_with("multipart/mixed;boundary=batchresponse_"));
    assert!(got.text().contains("\r\nContent-Type:application/http\r\n"), "no blank in v3");
    let counters = sandbox.counters();
    assert_eq!((counters.documents, counters.batches, counters.batch_parts, counters.requests), (2, 1, 3, 2));
}

#[tokio::test]
async fn a_change_set_is_all_or_nothing() {
    let (sandbox, caller) = start(options()).await;
    sandbox.set_faults(faults(|faults| faults.refuse_numbers = ["bad".to_owned()].into()));
    let good = changes(&[add_order(Some("1"), "a"), add_order(Some("2"), "b")]);
    let bad = changes(&[add_order(Some("3"), "c"), add_order(Some("4"), "bad"), add_order(Some("5"), "d")]);
    let got = batch(&caller, &[good, bad, add_order(None, "e")]).await;
    assert_eq!(statuses(&got), [201, 201, 400]);
    assert_eq!(got.text().matches("multipart/mixed").count(), 1, "a failed set is one part, not wrapped");
    assert!(got.text().contains("Content-ID:4"));
    let numbers: Vec<_> = sandbox.documents().into_iter().filter_map(|document| document.num_at_card).collect();
    assert_eq!(numbers, ["a", "b"]);
    // The numbers of what was taken back are free again.
    assert_eq!(add(&caller, "f").await, 538);
}

#[tokio::test]
async fn a_part_refers_to_what_another_made() {
    let (sandbox, caller) = start(options()).await;
    let set = changes(&[
        add_order(Some("1"), "a"),
        part(Some("2"), "PATCH /b1s/v1/$1", Some(&json!({ "Comments": "changed" }))),
        part(Some("3"), "POST $1/Cancel", None),
    ]);
    let got = batch(&caller, &[set, part(None, "GET Orders(536)?$select=Comments", None)]).await;
    assert_eq!(statuses(&got), [201, 204, 204, 200]);
    let order = sandbox.document("a").unwrap();
    assert!(order.cancelled && order.body["Comments"] == "changed");
    let got = batch(&caller, &[part(None, "POST $9/Cancel", None)]).await;
    assert_eq!(statuses(&got), [400]);
}

#[tokio::test]
async fn the_fourth_version() {
    let (_sandbox, caller) = start(options()).await;
    let caller = caller.v2();
    let post = |id: Option<&str>| part(id, "POST /b1s/v2/Orders HTTP/1.1", Some(&order("a")));
    let refused = batch(&caller, &[changes(&[post(None)])]).await;
    assert_eq!(refused.refusal(), (400, -1000));
    let got = batch(&caller, &[changes(&[post(Some("7"))]), part(None, "GET Orders(1)", None)]).await;
    assert_eq!((got.status, statuses(&got)), (200, vec![201, 404]));
    assert!(got.text().contains("Content-ID: 7\r\n") && got.text().contains("OData-Version: 4.0\r\n"));
    let last = got.text().rsplit("Content-Length: ").next().unwrap();
    let (length, rest) = last.split_once("\r\n").unwrap();
    let body = rest.strip_prefix("\r\n").unwrap().split("--batchresponse").next().unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), body.len(), "the line end counts");
}

#[tokio::test]
async fn envelopes_that_are_not_well_formed() {
    let (sandbox, caller) = start(options()).await;
    let json_kind = [("content-type", "application/json")];
    let got = caller.send("POST", "$batch", Some("{}".into()), &json_kind).await.unwrap();
    assert_eq!(got.refusal(), (400, -1000));
    let get_in_set = changes(&[part(Some("1"), "GET Orders", None)]);
    assert_eq!(batch(&caller, &[add_order(None, "a"), get_in_set]).await.refusal(), (400, -1000));
    assert_eq!(sandbox.counters().documents, 0, "nothing of it is done");
}

#[tokio::test]
async fn line_feeds_only() {
    let (sandbox, caller) = start(options()).await;
    sandbox.set_faults(faults(|faults| faults.batch_line_feeds = true));
    let got = batch(&caller, &[add_order(None, "a")]).await;
    assert!(statuses(&got) == [201] && !got.text().contains('\r'));
}

#[tokio::test]
async fn connections_break_after_all_or_a_part() {
    let (sandbox, caller) = start(options()).await;
    let parts: Vec<String> = ["1", "2", "3"].iter().map(|number| add_order(None, number)).collect();
    let inside: String = parts.iter().map(|part| format!("--b\r\n{part}")).collect();
    let kind = [("content-type", "multipart/mixed;boundary=b")];
    for (after, documents) in [(0, 3), (2, 5)] {
        sandbox.set_faults(faults(|faults| {
            faults.drop_batch_after_commit_every = 1;
            faults.drop_batch_after_parts = after;
        }));
        assert!(caller.send("POST", "$batch", Some(format!("{inside}--b--\r\n")), &kind).await.is_err());
        assert_eq!(sandbox.counters().documents, documents);
    }
}
