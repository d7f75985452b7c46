//! The servers of the tests start, die, come back with what they promised to keep, and leave nothing behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use datawald_tests::servers::{AMQP_URL, MONGODB_URI, MongoServer, RabbitNode};
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use mongodb::bson::{Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::{Acknowledgment, CollectionOptions, WriteConcern};
use mongodb::{Client, Collection};
use rustix::process::{Pid, Signal, kill_process};

const QUEUE: &str = "orders";

async fn channel(uri: &str) -> lapin::Result<Channel> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut quorum = FieldTable::default();
    quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel.queue_declare(QUEUE.into(), QueueDeclareOptions::durable(), quorum).await?;
    Ok(channel)
}

async fn publish_confirmed(channel: &Channel, text: &str) {
    let durable = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let confirm = channel.basic_publish("".into(), QUEUE.into(), options, text.as_bytes(), durable).await.unwrap();
    assert!(confirm.await.unwrap().is_ack(), "{text}");
}

async fn all_messages(channel: &Channel) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(message) = channel.basic_get(QUEUE.into(), BasicGetOptions::default()).await.unwrap() {
        texts.push(String::from_utf8(message.delivery.data).unwrap());
    }
    texts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq_comes_back_with_what_it_confirmed() {
    let mut node = RabbitNode::start().await.unwrap();
    let uri = node.uri().to_owned();
    let texts: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    let open = channel(&uri).await.unwrap();
    for text in &texts {
        publish_confirmed(&open, text).await;
    }
    node.save_new_queues().await.unwrap();
    node.kill();
    assert!(channel(&uri).await.is_err(), "a killed node takes no connection");
    let error = node.rabbitmqctl(&["list_queues"]).await.unwrap_err();
    assert!(error.to_string().contains("does not run"), "{error}");

    node.restart().await.unwrap();
    assert_eq!(node.uri(), uri);
    let open = channel(&uri).await.unwrap();
    assert_eq!(all_messages(&open).await, texts);

    // What was got was not acknowledged. This time it stops in good order.
    node.stop().await.unwrap();
    assert!(channel(&uri).await.is_err(), "a stopped node takes no connection");
    node.restart().await.unwrap();
    let mut again = all_messages(&channel(&uri).await.unwrap()).await;
    again.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(again, texts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq_takes_orders() {
    let node = RabbitNode::start().await.unwrap();
    let open = channel(node.uri()).await.unwrap();
    publish_confirmed(&open, "one").await;
    let list = ["--no-table-headers", "list_queues", "name"];
    assert_eq!(node.rabbitmqctl(&list).await.unwrap().trim(), QUEUE);
    node.rabbitmqctl(&["delete_queue", QUEUE]).await.unwrap();
    assert_eq!(node.rabbitmqctl(&list).await.unwrap().trim(), "");

    node.rabbitmqctl(&["add_user", "clerk", "right"]).await.unwrap();
    node.rabbitmqctl(&["set_permissions", "clerk", ".*", ".*", ".*"]).await.unwrap();
    channel(&node.uri_as("clerk", "right")).await.unwrap();
    let refused = channel(&node.uri_as("clerk", "wrong")).await.unwrap_err();
    assert!(refused.to_string().contains("ACCESS_REFUSED"), "{refused}");

    let error = node.rabbitmqctl(&["add_user", "clerk", "right"]).await.unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
}

async fn collection(uri: &str) -> Collection<Document> {
    let client = Client::with_uri_str(uri).await.unwrap();
    let durable = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
    let options = CollectionOptions::builder().write_concern(durable).build();
    client.database("servers").collection_with_options("orders", options)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mongodb_comes_back_with_what_it_acknowledged() {
    let mut server = MongoServer::start().await.unwrap();
    let uri = server.uri().to_owned();
    let orders = collection(&uri).await;
    let (tell, mut acknowledged) = tokio::sync::watch::channel(0_i32);
    let writer = tokio::spawn(async move {
        for id in 1.. {
            if orders.insert_one(doc! { "_id": id }).await.is_err() {
                return;
            }
            tell.send_replace(id);
        }
    });
    acknowledged.wait_for(|id| *id >= 100).await.unwrap();
    server.kill();
    assert!(tokio::net::TcpStream::connect(uri.trim_start_matches("mongodb://")).await.is_err());
    writer.abort();
    let _ = writer.await;
    let last = *acknowledged.borrow();

    server.restart().await.unwrap();
    assert_eq!(server.uri(), uri);
    let orders = collection(&uri).await;
    let kept = orders.count_documents(doc! { "_id": { "$lte": last } }).await.unwrap();
    assert_eq!(kept, u64::try_from(last).unwrap());

    server.stop().await.unwrap();
    server.restart().await.unwrap();
    let orders = collection(&uri).await;
    let kept = orders.count_documents(doc! { "_id": { "$lte": last } }).await.unwrap();
    assert_eq!(kept, u64::try_from(last).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mongodb_with_access_control_refuses_others() {
    let mut server = MongoServer::start_with_access_control().await.unwrap();
    collection(server.uri()).await.insert_one(doc! { "_id": 1 }).await.unwrap();
    // Still so when it has come back.
    for restarted in [false, true] {
        if restarted {
            server.kill();
            server.restart().await.unwrap();
        }
        let found = collection(server.uri()).await.find_one(doc! { "_id": 1 }).await.unwrap();
        assert!(found.is_some());
        let wrong = collection(&server.uri_as("datawald", "wrong")).await;
        let error = wrong.find_one(doc! {}).await.unwrap_err();
        assert!(matches!(*error.kind, ErrorKind::Authentication { .. }), "{error}");
        let nobody = format!("mongodb://{}", server.uri().rsplit_once('@').unwrap().1);
        let error = collection(&nobody).await.find_one(doc! {}).await.unwrap_err();
        assert!(error.to_string().contains("auth"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_server_leaves_nothing_behind() {
    let (node, server) = tokio::join!(RabbitNode::start(), MongoServer::start());
    let (node, mut server) = (node.unwrap(), server.unwrap());
    let folders = [node.folder().to_owned(), server.folder().to_owned()];
    for folder in &folders {
        assert!(!processes_of(folder).is_empty(), "{}", folder.display());
    }
    // One that is down when it is dropped has a folder all the same.
    server.kill();
    drop((node, server));
    for folder in &folders {
        wait_until_gone(folder);
        assert!(!folder.exists(), "{}", folder.display());
    }
}

/// `with_servers`, with a temporary folder of its own by which all that it starts is known.
struct WithServers {
    child: Child,
    temp: tempfile::TempDir,
}

impl WithServers {
    fn start(command: &[&str]) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let mut with_servers = Command::new(env!("CARGO_BIN_EXE_with_servers"));
        with_servers.arg("--").args(command).env("TMPDIR", temp.path());
        with_servers.env_remove(MONGODB_URI).env_remove(AMQP_URL);
        let child = with_servers.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        Self { child, temp }
    }

    /// The first line that the command prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; returns the exit code, once every process that it started is gone and so are their files.
    fn end(mut self) -> Option<i32> {
        let status = self.child.wait().unwrap();
        wait_until_gone(self.temp.path());
        let left: Vec<_> = std::fs::read_dir(self.temp.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
        status.code()
    }
}

/// A command that shows that it runs and would go on for long.
const LONG: [&str; 3] = ["sh", "-c", r#"echo "$MONGODB_URI $AMQP_URL"; exec sleep 600"#];

fn assert_addresses(line: &str) {
    let (mongodb, amqp) = line.split_once(' ').unwrap();
    assert!(mongodb.starts_with("mongodb://127.0.0.1:") && amqp.starts_with("amqp://"), "{line}");
}

#[test]
fn with_servers_passes_on_the_exit_code() {
    let mut run = WithServers::start(&["sh", "-c", r#"echo "$MONGODB_URI $AMQP_URL"; exit 7"#]);
    assert_addresses(&run.line());
    assert_eq!(run.end(), Some(7));
}

#[test]
fn with_servers_ends_with_its_servers_and_its_command_on_sigterm() {
    let mut run = WithServers::start(&LONG);
    assert_addresses(&run.line());
    run.signal(Signal::TERM);
    assert_eq!(run.end(), Some(128 + 15));
}

#[test]
fn with_servers_ends_while_it_starts_them() {
    let run = WithServers::start(&LONG);
    // The broker takes seconds: its folder is there long before it is ready.
    let started = |temp: &Path| std::fs::read_dir(temp).unwrap().count() == 2;
    poll("the folders of two servers", || started(run.temp.path()).then_some(()));
    run.signal(Signal::INT);
    assert_eq!(run.end(), Some(128 + 2));
}

#[test]
fn nothing_outlives_with_servers_killed() {
    let mut run = WithServers::start(&LONG);
    assert_addresses(&run.line());
    run.signal(Signal::KILL);
    assert_eq!(run.end(), None);
}

#[test]
fn with_servers_uses_those_that_are_set() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_with_servers"));
    command.args(["--", "sh", "-c", r#"echo "$MONGODB_URI $AMQP_URL""#]);
    command.env(MONGODB_URI, "mongodb://there").env(AMQP_URL, "amqp://user:secret@there");
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "mongodb://there amqp://user:secret@there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("secret"), "{said}");
}

#[test]
fn with_servers_says_what_it_lacks() {
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_with_servers"));
        command.args(args).env("PATH", "").env(MONGODB_URI, "mongodb://there").env(AMQP_URL, "amqp://there");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = run(&["--compose", "--", "true"]);
    assert!(said.contains("Docker cannot be run"), "{said}");
    let said = run(&["--", "no-such-command"]);
    assert!(said.contains("no-such-command cannot be started"), "{said}");
}

/// A `docker` that writes down what it is asked, and does nothing.
fn written_docker(folder: &Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let (program, asked) = (folder.join("docker"), folder.join("asked"));
    std::fs::write(&program, format!("#!/bin/sh\necho \"$*\" >>{}\n", asked.display())).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    asked
}

#[test]
fn containers_are_removed_however_with_servers_ends() {
    for kill in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let asked = written_docker(folder.path());
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_with_servers"));
        command.args(["--compose", "--", "sh", "-c"]).arg(r#"echo "$MONGODB_URI $AMQP_URL"; read -r _ || exit 7"#);
        command.env("PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_addresses(line.trim());
        if kill {
            child.kill().unwrap();
        }
        // Without input the command ends.
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), if kill { None } else { Some(7) });
        let asked = poll("the containers to be removed", || {
            std::fs::read_to_string(&asked).ok().filter(|asked| asked.contains("down --volumes"))
        });
        let asked: Vec<_> =
            asked.lines().map(|line| line.rsplit_once("compose.yaml ").map_or(line, |(_, rest)| rest)).collect();
        assert_eq!(asked, ["compose version", "up --detach --wait", "down --volumes"]);
    }
}

/// The processes that have the folder's name in their arguments or their environment; where the system shows none, none.
fn processes_of(folder: &Path) -> Vec<String> {
    let name = folder.to_str().unwrap().as_bytes();
    let names_it = |file: &Path| std::fs::read(file).is_ok_and(|text| text.windows(name.len()).any(|at| at == name));
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let ours = processes.filter(|process| ["cmdline", "environ"].iter().any(|file| names_it(&process.join(file))));
    ours.map(|process| std::fs::read_to_string(process.join("cmdline")).unwrap_or_default().replace('\0', " "))
        .collect()
}

fn wait_until_gone(folder: &Path) {
    let until = Instant::now() + PATIENCE;
    loop {
        let left = processes_of(folder);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "still there: {left:#?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How long processes may take to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Processes that are not children of the test tell nobody of their end: looks until it is so, for a while.
fn poll<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        match look() {
            Some(found) => return found,
            None => assert!(Instant::now() < until, "waited in vain for {what}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
