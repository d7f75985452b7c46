//! `--check`: all mistakes at once, or that there is none.

use std::process::Output;

use datawald_examples::sample_company;
use mage2_connector::sandbox::OrderSet;
use rustix::process::Signal;
use sapb1_connector::sandbox::{B1Sandbox, COMPANY_DB, Faults, LOGIN, Way};

use crate::world::{LIMIT, World};

sapb1_connector::over_both_ways! {
    what_the_file_names_is_tried_without_writing
    two_connections_to_one_company_are_told
    whether_documents_show_whose_they_are_is_told
    a_check_makes_nothing_and_changes_nothing
    codes_that_sap_b1_does_not_have_are_told
    how_much_the_first_pull_brings_is_told_and_where_it_begins
}

async fn check(world: &World, args: &[&str]) -> Output {
    let mut command = world.command(args);
    command.arg("--check").env_remove("NOT_SET");
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

fn text(bytes: &[u8]) -> String {
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

async fn what_the_file_names_is_tried_without_writing(way: Way) {
    let mut world = World::new(way, OrderSet::Synthetic(3)).await;
    world.write();
    let output = check(&world, &["--connect"]).await;
    let told = text(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for part in ["store", "queue", "connection mage2", "connection b1"] {
        assert!(told.contains(&format!("{part}: answers")), "{told}");
    }
    assert_eq!(world.b1.counters().writes, 0);

    world.b1.set_faults(Faults { latency_ms: 20_000, ..Faults::default() });
    let output = check(&world, &["--connect", "--role", "worker"]).await;
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("connection b1: no answer within 10 s"), "{told}");
    assert!(told.contains("store: answers") && !told.contains("connection mage2"), "{told}");

    // A store that cannot be opened keeps nobody from hearing how the rest is.
    world.b1.set_faults(Faults::default());
    world.store = "kind = 'sqlite'\npath = 'no/such/folder/host.db'".into();
    world.write();
    let output = check(&world, &["--connect"]).await;
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("store: open store: ") && told.contains("is not a folder"), "{told}");
    assert!(told.contains("queue: answers") && told.contains("connection b1: answers"), "{told}");
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

/// A connection of `way`'s kind to the sandbox, with rules of its own.
fn connection(world: &World, name: &str, rules: &str) -> String {
    let kind = match world.b1.way() {
        Way::Restful => "kind = 'sapb1-restful'".to_owned(),
        Way::ServiceLayer => format!("kind = 'sapb1-service-layer'\ncompany_db = '{COMPANY_DB}'"),
    };
    let (url, user) = (world.b1.url(), LOGIN.0);
    format!(
        "[connections.{name}]\n{kind}\nurl = '{url}'\nuser = '{user}'\npassword = {{ file = 'b1-password' }}\n\
         [connections.{name}.settings]\ncompany_currency = 'USD'\n{rules}\n"
    )
}

/// A file with a shop and an ERP for each of `pairs`.
fn file(world: &World, pairs: &[(&str, &str, &str)]) -> String {
    let mut text = "[store]\nkind = 'sqlite'\npath = 'host.db'\n".to_owned();
    for (shop, erp, rules) in pairs {
        let magento = world.magento.url();
        text.push_str(&format!(
            "[connections.{shop}]\nkind = 'magento2'\nbase_url = '{magento}'\n\
             credentials = {{ kind = 'bearer', token = {{ env = 'MAGENTO_TOKEN' }} }}\n{}\
             [[flows]]\ntable = 'orders'\nfrontend = '{shop}'\nbackoffice = '{erp}'\n",
            connection(world, erp, rules)
        ));
    }
    text
}

async fn two_connections_to_one_company_are_told(way: Way) {
    let world = World::new(way, OrderSet::Empty).await;
    let both = |rules: &str| file(&world, &[("mage2", "b1", ""), ("other", "b2", rules)]);
    world.write_as(&both(""));
    let output = check(&world, &["--connect"]).await;
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let line = told.lines().find(|line| line.contains("are the same company")).unwrap_or_else(|| panic!("{told}"));
    for part in ["connections b1 and b2:", COMPANY_DB, "orders of mage2 and other", "reference.prefix"] {
        assert!(line.contains(part), "{line}");
    }
    // Their orders can be told apart: it is said, and nothing has to be mended.
    for rules in ["reference.prefix = { other = 'O-' }", "reference.udf = 'U_WebOrder'"] {
        world.write_as(&both(rules));
        let output = check(&world, &["--connect"]).await;
        let told = text(&output.stdout);
        assert!(output.status.success(), "{told} {output:?}");
        assert!(told.contains("connections b1 and b2: are the same company"), "{told}");
        assert!(!told.contains("same references"), "{told}");
    }
    world.write_as(&file(&world, &[("mage2", "b1", "")]));
    let told = text(&check(&world, &["--connect"]).await.stdout);
    assert!(told.contains("connection b1: answers") && !told.contains("same company"), "{told}");
}

/// One order that two connections to one shop take would be two documents.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_connections_to_one_shop_are_told() {
    let world = World::new(Way::ServiceLayer, OrderSet::Empty).await;
    let shop = |name: &str, url: &str, stores: &str| {
        format!(
            "[connections.{name}]\nkind = 'magento2'\nbase_url = '{url}'\norders = {{ stores = {stores}, store_codes = {{ 2 = 'eu' }} }}\n\
             credentials = {{ kind = 'bearer', token = {{ env = 'MAGENTO_TOKEN' }} }}\n"
        )
    };
    let flow =
        |shop: &str, erp: &str| format!("[[flows]]\ntable = 'orders'\nfrontend = '{shop}'\nbackoffice = '{erp}'\n");
    let erps = connection(&world, "b1", "reference.prefix = { two = 'T-' }") + &connection(&world, "b2", "");
    let one = "http://shop.example.com";
    for (url, stores, other, erp, mistake, remark) in [
        (one, "['1']", "['1', '3']", "b1", true, false),
        ("https://SHOP.example.com/", "['2']", "['eu']", "b1", true, false),
        (one, "[]", "['1']", "b1", true, false),
        (one, "['1']", "['eu']", "b1", false, false),
        ("http://other.example.com", "['1']", "['1']", "b1", false, false),
        (one, "['1']", "['1']", "b2", false, true),
    ] {
        world.write_as(&format!(
            "[store]\nkind = 'sqlite'\npath = 'host.db'\n{}{}{}{}{erps}",
            shop("one", one, stores),
            shop("two", url, other),
            flow("one", "b1"),
            flow("two", erp)
        ));
        let output = check(&world, &[]).await;
        let (told, mistakes) = (text(&output.stdout), text(&output.stderr));
        let what = format!("{url} {stores} {other} {erp}: {told}{mistakes}");
        assert_eq!(output.status.success(), !mistake, "{what}");
        let line = "connections.two.orders.stores: does not tell orders of one and two apart";
        assert_eq!(mistakes.contains(line), mistake, "{what}");
        assert_eq!(
            told.contains("connections one and two: take the same orders of one Magento, into b1 and b2"),
            remark,
            "{what}"
        );
    }
}

/// The number is not where SAP B1's own refusal looks for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_takes_the_walls_place_is_told() {
    let world = World::new(Way::ServiceLayer, OrderSet::Empty).await;
    for (rules, told) in [("reference.udf = 'U_WebOrder'", true), ("reference.mark = 'U_WebOrder'", false)] {
        world.write_as(&file(&world, &[("mage2", "b1", rules)]));
        let output = check(&world, &[]).await;
        let line = "connection b1: numbers of orders stand in U_WebOrder (`reference.udf`), which SAP B1's own refusal";
        assert_eq!(text(&output.stdout).contains(line), told, "{output:?}");
        assert!(output.status.success(), "{output:?}");
    }
}

async fn whether_documents_show_whose_they_are_is_told(way: Way) {
    let world = World::new(way, OrderSet::Empty).await;
    let checked = async |rules: &str| {
        world.write_as(&file(&world, &[("mage2", "b1", rules)]));
        let output = check(&world, &["--connect"]).await;
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, told, _) = checked("").await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("connection b1: documents bear no mark of ours"), "{told}");
    let (code, told, _) = checked("reference.udf = 'U_None'").await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("connection b1: orders have no field U_None (`reference.udf`)"), "{told}");
    let (code, told, mistakes) = checked("reference.mark = 'U_None'").await;
    assert_eq!(code, Some(1), "{told}");
    match way {
        Way::Restful => {
            assert!(
                mistakes.contains("connections.b1.settings.reference.mark: SAP B1 RESTful writes no"),
                "{mistakes}"
            );
        }
        Way::ServiceLayer => {
            assert!(told.contains("connection b1: orders have no field U_None (`reference.mark`)"), "{told}");
            let (code, told, _) = checked("reference.mark = 'U_WebOrder'").await;
            assert_eq!(code, Some(0), "{told}");
            assert!(told.contains("connection b1: documents bear our mark in U_WebOrder"), "{told}");
        }
    }
    assert_eq!(world.b1.counters().writes, 0);
}

/// What would fail every order that needs it is told before the first.
async fn codes_that_sap_b1_does_not_have_are_told(way: Way) {
    let mut world = World::new(way, OrderSet::Empty).await;
    let mut company = sample_company();
    company.customers = Some(["C20000".to_owned()].into());
    company.items = Some(["SHIP".to_owned()].into());
    world.b1 = B1Sandbox::start(way, company).await.unwrap();
    let checked = async |rules: &str| {
        world.write_as(&file(&world, &[("mage2", "b1", rules)]));
        let output = check(&world, &["--connect"]).await;
        (output.status.code(), text(&output.stdout))
    };
    let good = "exempt_code = 'EX'\ncustomer = { default = 'C20000' }\nfreight = { expense_name = 'Freight', tax_code = 'CA' }\n\
                transport = { default = 'Pickup' }\npayment = { names = { checkmo = 'Check' } }\n\
                tax = [{ code = 'CA', rate = '7.25' }]\n";
    let (code, told) = checked(good).await;
    assert_eq!(code, Some(0), "{told}");

    let bad = "exempt_code = 'NO1'\ntax = [{ code = 'NO2', rate = '8' }, { code = 'CA', rate = '9' }]\n\
               customer = { default = 'NO3', by_group = { '1' = 'NO4' }, by_email = { 'ann@example.com' = 'NO5' } }\n\
               freight = { item_code = 'NO6', tax_code = 'NO2' }\ntransport = { default = 'NO7', names = { ups = 'NO8' } }\n\
               payment = { default = 'NO9', names = { checkmo = 'NO10' } }\n";
    let (code, told) = checked(bad).await;
    assert_eq!(code, Some(1), "{told}");
    let mut wanted = vec![
        "no tax code `NO1` (`exempt_code`)",
        "no tax code `NO2` (`tax[0].code`)",
        "the tax code `CA` has 7.25 % in SAP B1 and 9 % in the settings (`tax[1].rate`)",
        "no way of transport `NO7` (`transport.default`)",
        "no way of transport `NO8` (`transport.names.ups`)",
        "no way of payment `NO9` (`payment.default`)",
        "no way of payment `NO10` (`payment.names.checkmo`)",
    ];
    match way {
        // It does not tell which customers and items there are.
        Way::Restful => {
            assert!(told.contains("connection b1: cannot tell whether there are the customers and items"), "{told}")
        }
        Way::ServiceLayer => wanted.extend([
            "no customer `NO3` (`customer.default`)",
            "no customer `NO4` (`customer.by_group.1`)",
            "no customer `NO5` (`customer.by_email`)",
            "no item `NO6` (`freight.item_code`)",
        ]),
    }
    for line in wanted {
        assert!(
            told.contains(&format!("connection b1: SAP B1 has {line}"))
                || told.contains(&format!("connection b1: {line}")),
            "no `{line}` in: {told}"
        );
    }
    assert!(!told.contains("ann@"), "{told}");
    let (code, told) = checked("freight = { expense_name = 'NO11' }\n").await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("connection b1: SAP B1 has no freight `NO11` (`freight.expense_name`)"), "{told}");
}

/// Whoever starts over a shop of many years is told before what comes, and begins where it is told to.
async fn how_much_the_first_pull_brings_is_told_and_where_it_begins(way: Way) {
    let world = World::new(way, OrderSet::Synthetic(12)).await;
    let changed = |id: u64| {
        let order: serde_json::Value = serde_json::from_str(&world.magento.order(id).unwrap()).unwrap();
        order["updated_at"].as_str().unwrap().to_owned()
    };
    let from = changed(9);
    let later = (1..=12).filter(|id| changed(*id) >= from).count() as u64;
    assert!((1..12).contains(&later), "{from}");
    world.write();
    let told = text(&check(&world, &["--connect"]).await.stdout);
    let all =
        "flow orders of mage2: the first pull brings 12 orders, all that the shop has; with `since` it begins later";
    assert!(told.contains(all), "{told}");
    let since = format!("{}Z", from.replace(' ', "T"));
    let file = std::fs::read_to_string(world.folder.path().join("host.toml")).unwrap();
    world.write_as(&file.replace("backoffice = 'b1'\n", &format!("backoffice = 'b1'\nsince = '{since}'\n")));
    let told = text(&check(&world, &["--connect"]).await.stdout);
    let some = format!("flow orders of mage2: the first pull brings {later} orders, those that changed since {since}");
    assert!(told.contains(&some), "{told}");

    let mut host = world.start("host", &[]);
    world.documents(later, &mut host).await;
    host.printed("closed", LIMIT).await;
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;
    assert_eq!(world.b1.counters().documents, later, "those before are left out");
    // Where it has been pulled, there is no first pull to tell of.
    let told = text(&check(&world, &["--connect"]).await.stdout);
    assert!(!told.contains("the first pull brings"), "{told}");
}
