//! `/ping`: whether the balancer and its nodes are there. It needs no session.

use serde_json::json;

use super::answer::Answer;
use super::error::Version;
use super::state::State;

/// What is answered at a path outside the roots, if it is that of a ping: the balancer itself at `/ping`, a node of its choice
/// at `/ping/node`, a certain one at `/ping/node/1`.
pub(super) fn ping(state: &State, path: &str) -> Option<Answer> {
    let sender = match path.trim_end_matches('/') {
        "/ping" | "/ping/load-balancer" => "load balancer".to_owned(),
        "/ping/node" => "node 1".to_owned(),
        other => {
            let node: u32 = other.strip_prefix("/ping/node/")?.parse().ok()?;
            (1..=state.options.nodes).contains(&node).then(|| format!("node {node}"))?
        }
    };
    let now = state.options.clock.now();
    let (seconds, millis) = (now.as_second(), now.subsec_millisecond());
    let body = json!({ "message": "pong", "sender": sender, "timestamp": format!("{seconds}.{millis:03}") });
    Some(Answer::json(Version::V1, 200, &body))
}
