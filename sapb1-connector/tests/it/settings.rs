//! Mistakes in settings, each told by the name of its key.

use sapb1_connector::B1Settings;
use sapb1_connector::settings::{DiscountMode, PrepaidRule, ReconcileMode, TaxRounding};

/// The field and the message of the error.
fn mistake(text: &str) -> (String, String) {
    let error = B1Settings::from_toml(text).unwrap_err();
    assert_eq!(error.kind(), datawald_core::ErrorKind::Config);
    assert_eq!(error.disposition(), datawald_core::Disposition::Permanent);
    (error.field_path().unwrap_or_default().to_owned(), error.message().to_owned())
}

#[test]
fn the_sample_in_the_documentation_loads() {
    let sample = include_str!("../../src/settings/sample.md");
    let toml = sample.split("```toml").nth(1).unwrap().split("```").next().unwrap();
    let settings = B1Settings::from_toml(toml).unwrap();
    assert_eq!(settings.tax.len(), 2);
    assert_eq!(settings.tax[0].rate.to_string(), "8.25");
    assert_eq!(settings.discount, DiscountMode::Document);
    assert_eq!(settings.rounding, TaxRounding::PerCode);
    assert_eq!(settings.prepaid, PrepaidRule::Reject);
    assert_eq!(settings.reconcile.mode, ReconcileMode::Reject);
    assert_eq!(settings.requests, B1Settings::default().requests);
}

#[test]
fn nothing_is_fine_too() {
    assert_eq!(B1Settings::from_toml("").unwrap().due_days, 7);
}

#[test]
fn a_rate_keeps_its_digits_whether_text_or_number() {
    let settings = B1Settings::from_toml("tax = [{ code = \"A\", rate = 8.375 }, { code = \"B\", rate = 7 }]").unwrap();
    assert_eq!(settings.tax[0].rate.to_string(), "8.375");
    assert_eq!(settings.tax[1].rate.to_string(), "7");
}

#[test]
fn not_toml() {
    let (_, message) = mistake("due_days = 7\nfreight = = 1");
    assert!(message.starts_with("line 2:"), "{message}");
}

#[test]
fn an_unknown_key() {
    let (field, message) = mistake("[freight]\nexpense_nam = \"Freight\"");
    assert_eq!(field, "freight.expense_nam");
    assert!(message.contains("unknown field `expense_nam`") && message.contains("`expense_name`"), "{message}");
}

#[test]
fn an_unknown_key_at_the_top() {
    let (field, message) = mistake("due_dais = 7");
    assert!(field == "due_dais" && message.contains("`due_days`"), "{field}: {message}");
}

#[test]
fn a_missing_key() {
    let (field, message) = mistake("[[tax]]\ncode = \"CA\"");
    assert_eq!((field.as_str(), message.as_str()), ("tax[0]", "missing field `rate`"));
}

#[test]
fn a_wrong_type() {
    assert_eq!(mistake("due_days = \"seven\"").0, "due_days");
    assert_eq!(mistake("due_days = -1").0, "due_days");
    assert_eq!(mistake("[[tax]]\ncode = \"CA\"\nrate = \"much\"").0, "tax[0].rate");
    assert_eq!(mistake("states_countries = \"US\"").0, "states_countries");
}

#[test]
fn an_unknown_choice() {
    for (key, text) in [
        ("discount", "discount = \"both\""),
        ("tax_address", "tax_address = \"home\""),
        ("rounding", "rounding = \"up\""),
        ("prepaid", "prepaid = \"maybe\""),
        ("reconcile.mode", "[reconcile]\nmode = \"hope\""),
    ] {
        let (field, message) = mistake(text);
        assert_eq!(field, key);
        assert!(message.contains("expected"), "{message}");
    }
}

#[test]
fn values_that_do_not_hold() {
    for (key, text) in [
        ("company_currency", "company_currency = \"usd\""),
        ("freight", "[freight]\nexpense_name = \"F\"\nitem_code = \"S\""),
        ("freight.tax_code", "[freight]\nexpense_name = \"F\"\ntax_code = \"CA\""),
        ("freight.item_code", "[freight]\nitem_code = \"\""),
        ("customer.default", "[customer]\ndefault = \" \""),
        ("customer.by_group", "[customer]\nby_group = { \"1\" = \"\" }"),
        ("exempt_code", "exempt_code = \"\""),
        ("tax[0].code", "tax = [{ code = \"\", rate = \"1\" }]"),
        ("tax[1].rate", "tax = [{ code = \"A\", rate = \"1\" }, { code = \"B\", rate = \"101\" }]"),
        ("tax[0].rate", "tax = [{ code = \"A\", rate = \"-1\" }]"),
        ("tax[0].country", "tax = [{ code = \"A\", rate = \"1\", country = \"USA\" }]"),
        ("tax[0].postcodes[1]", "tax = [{ code = \"A\", rate = \"1\", postcodes = [\"1\", \"90000..9\"] }]"),
        ("reference.udf", "[reference]\nudf = \"U_a; drop table ORDR\""),
        ("reference.udf", "[reference]\nudf = \"NumAtCard\""),
        ("reference.prefix.b", "[reference]\nprefix = { b = \"B \" }"),
        ("reference.prefix.b", "[reference]\nprefix = { b = \"\" }"),
        ("reference.prefix.b", "[reference]\nprefix = { b = \"2\" }"),
        ("reference.prefix.b", "[reference]\nprefix = { a = \"A-\", b = \"B\" }"),
        ("reference.prefix.a", "[reference]\nprefix = { a = \"B-\", b = \"B-\" }"),
        ("reference.prefix.b", "[reference]\nprefix = { a = \"B-2-\", b = \"B-\" }"),
        ("reference.mark", "[reference]\nmark = \"NumAtCard\""),
        ("reference.mark", "[reference]\nmark = \"U_a; drop table ORDR\""),
        ("reference.mark", "[reference]\nudf = \"U_Key\"\nmark = \"U_KEY\""),
        ("states_countries", "states_countries = [\"USA\"]"),
        ("reconcile.max_cents", "[reconcile]\nmode = \"tolerance\""),
        ("reconcile.item_code", "[reconcile]\nmode = \"rounding-line\"\nmax_cents = 1"),
        ("exempt_code", "[reconcile]\nmode = \"rounding-line\"\nmax_cents = 1\nitem_code = \"R\""),
        ("requests.lookup_batch", "[requests]\nlookup_batch = 101"),
        ("requests.write_batch", "[requests]\nwrite_batch = 0"),
        ("requests.concurrency", "[requests]\nconcurrency = 0"),
        ("requests.write_timeout_s", "[requests]\nwrite_timeout_s = 0"),
        ("requests.write_timeout_s", "[requests]\nwrite_timeout_s = 3601"),
        ("requests.read_timeout_s", "[requests]\nread_timeout_s = 0"),
        ("requests.lease_margin_s", "[requests]\nlease_margin_s = 3601"),
        ("requests.codes_fresh_s", "[requests]\ncodes_fresh_s = 0"),
        ("requests.token_life_s", "[requests]\ntoken_life_s = 5"),
    ] {
        assert_eq!(mistake(text).0, key, "{text}");
    }
}

#[test]
fn emails_stay_out_of_errors_and_debug() {
    let error = B1Settings::from_toml("[customer]\nby_email = { \"ann@example.com\" = 5 }").unwrap_err();
    assert_eq!(error.field_path(), Some("customer.by_email"));
    assert!(!format!("{error} {error:?}").contains("ann@"));
    let settings = B1Settings::from_toml("[customer]\nby_email = { \"ann@example.com\" = \"C1\" }").unwrap();
    assert!(!format!("{settings:?}").contains("ann@"));
}

/// Failures are tried again when the rules are others, and only then.
#[tokio::test]
async fn the_digest_tells_rules_from_others_and_shows_none() {
    use datawald_backoffice::Backoffice;
    use sapb1_connector::sandbox::{B1Sandbox, Company, Way};
    let digest = |way: Way, rules: &str| {
        let (sandbox, _) = B1Sandbox::in_process(way, Company::default());
        sandbox.agency(B1Settings::from_toml(rules).unwrap()).unwrap().settings_digest().unwrap()
    };
    let rules = "exempt_code = 'EX'\ntax = [{ code = 'CA', rate = '8.25' }]\n\
                 customer = { default = 'C1', by_email = { 'ann@example.com' = 'C2' } }\n";
    let before = digest(Way::Restful, rules);
    assert_eq!(digest(Way::Restful, &format!("# The same.\n{rules}")), before);
    assert!(!before.contains("ann") && !before.contains("8.25"), "{before}");
    for (from, to) in [("8.25", "8.5"), ("'C1'", "'C3'"), ("ann@", "bob@"), ("'C2'", "'C3'"), ("'EX'", "'NO'")] {
        assert_ne!(digest(Way::Restful, &rules.replace(from, to)), before, "{to}");
    }
    assert_ne!(digest(Way::Restful, &format!("due_days = 8\n{rules}")), before);
    // What the way in can do decides, too: SAP B1 RESTful makes no documents in other currencies.
    assert_ne!(digest(Way::ServiceLayer, rules), before);
}
