//! `--check`: all mistakes at once, or that there is none.

use std::process::Output;

use mage2_connector::sandbox::OrderSet;
use rustix::process::Signal;
use sapb1_connector::sandbox::Way;

use crate::world::{LIMIT, World};

sapb1_connector::over_both_ways! {
    a_check_makes_nothing_and_changes_nothing
}

pub(crate) async fn check(world: &World, args: &[&str]) -> Output {
    let mut command = world.command(args);
    command.arg("--check").env_remove("NOT_SET");
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A file of mistakes, and what is told of it.
const MISTAKES: (&str, &str) = (include_str!("mistakes.toml"), include_str!("mistakes.txt"));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_is_told_at_once_and_no_secret() {
    let world = World::new(Way::ServiceLayer, OrderSet::Empty).await;
    world.write_as(MISTAKES.0);
    let output = check(&world, &["--role", "core", "--role", "frontend", "--role", "worker"]).await;
    let folder = format!("{}/", world.folder.path().display());
    let told = text(&output.stderr).replace(&folder, "");
    assert_eq!(told.trim(), MISTAKES.1.trim(), "{told}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    assert!(!told.contains("geheim"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_file_or_no_toml_is_told() {
    let world = World::new(Way::ServiceLayer, OrderSet::Empty).await;
    let output = check(&world, &[]).await;
    assert!(text(&output.stderr).contains("host.toml cannot be read"), "{output:?}");
    world.write_as("[store]\nkind = \"sqlite\n");
    let output = check(&world, &[]).await;
    assert_eq!(text(&output.stderr).trim(), "line 2 is not TOML");
    assert_eq!(output.status.code(), Some(1));
    // Nothing is said: everything that must be there is missing.
    world.write_as("");
    let output = check(&world, &[]).await;
    let told = text(&output.stderr);
    assert!(told.contains("flows: is missing") && told.contains("store: is missing"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_file_is_complete_and_so_is_the_sample() {
    let world = World::new(Way::ServiceLayer, OrderSet::Empty).await;
    world.write();
    let output = check(&world, &[]).await;
    assert!(output.status.success(), "{output:?}");
    let told = text(&output.stdout);
    let [complete, remark] = &told.lines().collect::<Vec<_>>()[..] else { panic!("{told}") };
    assert!(complete.ends_with("host.toml is complete"), "{told}");
    // Tests wait no longer than they must.
    assert!(
        remark.starts_with("flow orders of mage2: `engine.settle_delay_ms` (1000) is shorter than a write"),
        "{told}"
    );
    assert!(remark.ends_with("give it no less than 60000"), "{told}");

    for sample in
        [include_str!("../../../examples/config/host.toml"), include_str!("../../../examples/config/host.compose.toml")]
    {
        world.write_as(sample);
        let mut command = world.command(&["--check"]);
        command.env("B1_PASSWORD", "p").env("AMQP_URL", "amqp://u:p@mq").env("MONGODB_URI", "mongodb://u:p@db/x");
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(text(&output.stdout).trim().ends_with("host.toml is complete"), "{output:?}");
    }
}

/// A worker needs no secret of the shop, and a role without its part of the file is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_needs_its_own_part() {
    let mut world = World::new(Way::ServiceLayer, OrderSet::Empty).await;
    world.more = String::new();
    world.write();
    let without_token = |args: &[&str]| {
        let mut command = world.command(args);
        command.arg("--check").env_remove("MAGENTO_TOKEN");
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let output = without_token(&["--role", "worker"]).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = without_token(&["--role", "frontend", "--role", "core"]).await.unwrap();
    assert_eq!(
        text(&output.stderr).trim(),
        "api: is missing: the role `core` answers over HTTP\n\
         connections.mage2.credentials.token: the variable MAGENTO_TOKEN is not set"
    );
}

/// What there is in the folder of the file.
fn files(world: &World) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(world.folder.path()).unwrap().map(|file| file.unwrap());
    let mut files: Vec<_> = files
        .filter(|file| file.file_type().unwrap().is_file())
        .map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap()))
        .collect();
    files.sort();
    files
}

async fn a_check_makes_nothing_and_changes_nothing(way: Way) {
    let world = World::new(way, OrderSet::Synthetic(2)).await;
    world.write();
    let before = files(&world);
    for args in [&[][..], &["--connect"]] {
        let output = check(&world, args).await;
        assert!(output.status.success(), "{output:?}");
        assert_eq!(files(&world), before, "{args:?}");
    }
    let told = text(&check(&world, &["--connect"]).await.stdout);
    assert!(told.contains("host.db when it starts"), "{told}");

    // Nor where a host has been.
    let mut host = world.start("host", &[]);
    world.documents(2, &mut host).await;
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;
    let before = files(&world);
    let told = text(&check(&world, &["--connect"]).await.stdout);
    assert!(told.contains("store: answers\n"), "{told}");
    assert_eq!(files(&world), before);
}

/// Files of one mistake that hid the others: each tells all of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mistake_hides_another() {
    let world = World::new(Way::ServiceLayer, OrderSet::Empty).await;
    let store = "[store]\nkind = 'sqlite'\npath = 'host.db'\n";
    let flow = "[[flows]]\ntable = 'orders'\nfrontend = 'mage2'\nbackoffice = 'b1'\n";
    let shop = "[connections.mage2]\nkind = 'magento2'\nbase_url = 'http://shop'\n\
                credentials = { kind = 'bearer', token = { env = 'MAGENTO_TOKEN' } }\n";
    let erp = "[connections.b1]\nkind = 'sapb1-service-layer'\nurl = 'http://b1'\ncompany_db = 'X'\nuser = 'x'\n\
               password = { env = 'MAGENTO_TOKEN' }\n";
    let rules = "[connections.b1.settings]\n";
    let cases: [(String, &[&str]); 9] = [
        // The rules in a file of their own.
        (
            format!("{store}{flow}{shop}{erp}settings_file = 'rules.toml'\nsessions = 'many'\n"),
            &[
                "connections.b1.sessions: is a wrong string",
                "connections.b1.settings_file: due_days in it: is a wrong string",
                "connections.b1.settings_file: tax[0].rate in it: must be a percentage",
                "connections.b1.settings_file: tax[1].code in it: is empty",
                "connections.b1.settings_file: tax[1].postcodes[1] in it: ",
                "connections.b1.settings_file: customer.by_mail in it: is not known here",
                "connections.b1.settings_file: reconcile.mode in it: is none of",
            ],
        ),
        // A table that must be there.
        (
            format!(
                "{store}{flow}[connections.mage2]\nkind = 'magento2'\nbase_url = 'shop'\npage_sise = 3\n\
                 page_size = 'x'\n{erp}{rules}"
            ),
            &[
                "connections.mage2.base_url: is not a URL",
                "connections.mage2.credentials: is missing",
                "connections.mage2.page_size: is a wrong string",
                "connections.mage2.page_sise: is not known here",
            ],
        ),
        // What must be one of a few.
        (
            format!("{store}{flow}{shop}{erp}contacts = 'x'\ntax_table = 3\napprovals = 'yes'\nsesions = 1\n{rules}"),
            &[
                "connections.b1.approvals: is a wrong string, should be a boolean",
                "connections.b1.contacts: is none of",
                "connections.b1.sesions: is not known here",
                "connections.b1.tax_table: ",
            ],
        ),
        // Headers that no connection can have.
        (
            format!(
                "{store}{flow}{shop}headers = {{ Host = 'x' }}\n{erp}headers = {{ X-Gate = 'x', Cookie = 'x' }}\n{rules}"
            ),
            &[
                "connections.b1.headers.Cookie: is set by this connection itself",
                "connections.mage2.headers.Host: is a header that is set from what is sent",
            ],
        ),
        // A switch, and what depends on it: that is right.
        (
            format!(
                "{store}{flow}{shop}{erp}{rules}due_days = -1\ncustomer = {{ search = 'yes', make = {{ prefix = 'W' }} }}\n"
            ),
            &[
                "connections.b1.settings.customer.search: is a wrong string, should be a boolean",
                "connections.b1.settings.due_days: is a wrong integer",
            ],
        ),
        // An item of a list.
        (
            format!(
                "{store}{flow}{shop}[connections.mage2.orders]\ninsert_statuses = ['a', 3, 'b', 4]\nsores = []\n{erp}{rules}"
            ),
            &[
                "connections.mage2.orders.insert_statuses[1]: is a wrong integer",
                "connections.mage2.orders.insert_statuses[3]: is a wrong integer",
                "connections.mage2.orders.sores: is not known here",
            ],
        ),
        // An address that must be there.
        (
            format!(
                "{store}{flow}{shop}{erp}{rules}[api]\nlisten = 7000\nlimit = 1\n[api.limits]\nburst = 0\n[monitor]\n"
            ),
            &[
                "api.limit: is not known here",
                "api.limits.burst: must be",
                "api.listen: is a wrong integer",
                "monitor.listen: is missing",
            ],
        ),
        // A schedule of no flow, where another flow is wrong, and two shops that are not told apart beside another mistake.
        (
            format!(
                "{store}{flow}[[flows]]\ntable = 'orders'\nfrontend = 'other'\nbackoffice = 'b1'\nengin = 1\n\
                 [[schedules]]\nname = 'a'\ntable = 'orders'\nfrontend = 'third'\nevery = '1m'\n\
                 {shop}{}{erp}{rules}due_days = 'x'\n",
                shop.replace("mage2]", "other]")
            ),
            &[
                "connections.b1.settings.due_days: ",
                "connections.b1.settings.reference.prefix: does not tell orders of mage2 and other apart",
                "flows[1].engin: is not known here",
                "schedules[0].frontend: there is no flow orders of third",
            ],
        ),
        // Lines that are no TOML.
        (
            "[store]\nkind = 'sqlite\npath = \"x\"\n[queue\n[log]\nlevel = = 3\n".into(),
            &["line 2 is", "line 4 is", "line 6 is"],
        ),
    ];
    for (file, mistakes) in cases {
        world.write_as(&file);
        let rules = "due_days = 'x'\ntax = [{ code = 'A', rate = '800' }, { code = '', rate = '1', postcodes = ['1', ''] }]\n\
                     customer = { by_mail = {} }\nreconcile = { mode = 'x' }\n";
        std::fs::write(world.folder.path().join("rules.toml"), rules).unwrap();
        let output = check(&world, &[]).await;
        let told = text(&output.stderr);
        for mistake in mistakes {
            assert!(told.lines().any(|line| line.starts_with(mistake)), "no `{mistake}` in: {told}");
        }
        assert_eq!(told.lines().count(), mistakes.len(), "nothing that is right is called a mistake: {told}");
    }
}
