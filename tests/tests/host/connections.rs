//! `--check` of connections, most with `--connect`: what they lead to, and what the other sides lack of what the file names.

use datawald_examples::sample_company;
use mage2_connector::sandbox::OrderSet;
use rustix::process::Signal;
use sapb1_connector::sandbox::{B1Sandbox, COMPANY_DB, Faults, LOGIN, Way};

use crate::check::{check, text};
use crate::world::{LIMIT, World};

sapb1_connector::over_both_ways! {
    what_the_file_names_is_tried_without_writing
    two_connections_to_one_company_are_told
    whether_documents_show_whose_they_are_is_told
    codes_that_sap_b1_does_not_have_are_told
    how_much_the_first_pull_brings_is_told_and_where_it_begins
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
