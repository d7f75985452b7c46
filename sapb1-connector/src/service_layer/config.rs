//! How to reach a Service Layer.

use std::collections::BTreeMap;

use datawald_core::http::HttpSettings;
use datawald_core::model::minor_units;
use datawald_core::{Error, Result};
use secrecy::SecretString;
use serde::Deserialize;

use crate::B1Settings;
use crate::settings::{Requests, add_headers};

const OPERATION: &str = "set up the Service Layer";

/// Which of the two roots of the Service Layer is spoken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Root {
    /// `/b1s/v1`: OData v3.
    V1,
    /// `/b1s/v2`: OData v4, as SAP recommends.
    #[default]
    V2,
}

impl Root {
    /// Its path on the server, with a slash at the end.
    pub fn path(self) -> &'static str {
        match self {
            Root::V1 => "/b1s/v1/",
            Root::V2 => "/b1s/v2/",
        }
    }
}

/// What is done about the person who ordered, whom SAP B1 holds as a contact person of the customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contacts {
    /// Found by email or name at the customer, and added if there is none; all new ones of a batch in one request.
    #[default]
    Make,
    /// Found at the customer; else the order has no contact person.
    Find,
    /// Orders have no contact person.
    Leave,
}

/// Which of SAP B1's tables of tax codes the company uses; it depends on its country.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaxTable {
    /// Sales tax codes (USA, Canada, India and others): `TaxCode`.
    #[default]
    SalesTaxCodes,
    /// Tax groups (most of Europe): `VatGroup`.
    VatGroups,
}

/// How to reach a Service Layer. `Debug` does not show the password.
#[derive(Debug, Clone)]
pub struct ServiceLayerSettings {
    /// Address of the service root (`https://b1.example.com:50000/b1s/v2/`), limits and certificates. The certificate that
    /// the Service Layer comes with is signed by itself: give it as `extra_ca_pem`. It is never left unchecked.
    pub http: HttpSettings,
    /// Which root the address is.
    pub root: Root,
    /// The company's database.
    pub company_db: String,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: SecretString,
    /// The most sessions at the same time; each takes a licence. As many calls run at most.
    pub sessions: usize,
    /// Whether fewer calls run at the same time while the server gets more done so; else always `sessions` of them.
    pub adaptive: bool,
    /// SAP's codes for a login that is refused for want of a licence. With other codes, while there is no session, it is held
    /// to be refused for its credentials, which stops the flow rather than have the user locked.
    pub licence_codes: Vec<i64>,
    /// The rows that a page of an answer is asked to have.
    pub page_size: usize,
    /// The largest body of a request, in bytes; a batch that would be larger is sent in several.
    pub max_request: usize,
    /// Whether an approval procedure may take orders, so that they become drafts. Look-ups then look for drafts too.
    pub approvals: bool,
    /// What is done about contact persons.
    pub contacts: Contacts,
    /// How many contact persons a customer may have before no more are added: one for whom many people order, such as the
    /// default customer of a shop, is no place for them, and SAP B1 reads and writes all of a customer's at a time.
    pub most_contacts: usize,
    /// Where tax codes and their rates are.
    pub tax_table: TaxTable,
    /// The company's own codes of currencies by ISO code, where its table of currencies does not tell (`USD` → `$`).
    pub currency_codes: BTreeMap<String, String>,
    /// The company's main currency (ISO 4217): `company_currency` of the rules. It is checked against SAP B1's before any
    /// order is sent.
    pub main_currency: String,
    /// The decimals of amounts by currency: `currency_decimals` of the rules.
    pub currency_decimals: BTreeMap<String, u32>,
    /// The user-defined field for the mark of our own documents: `reference.mark` of the rules.
    pub mark: Option<String>,
    /// Sizes and times.
    pub requests: Requests,
}

impl ServiceLayerSettings {
    /// For the service at `url`, with currency and requests as in `settings`. An address that ends with neither `/b1s/v1`
    /// nor `/b1s/v2` is taken as that of the server, and v2 is used.
    ///
    /// # Errors
    /// Of kind `Config` if `url` is no address, a name is empty or `settings` do not hold.
    pub fn new(
        url: &str,
        company_db: impl Into<String>,
        user: impl Into<String>,
        password: SecretString,
        settings: &B1Settings,
    ) -> Result<Self> {
        settings.check()?;
        let (company_db, user) = (company_db.into(), user.into());
        for (name, value) in [("company_db", &company_db), ("user", &user)] {
            if value.is_empty() {
                return Err(Error::config(OPERATION, "is missing").field(name));
            }
        }
        let http = HttpSettings::new(url)?;
        let at = |root: Root| http.base_url.path().ends_with(root.path());
        let (root, is_whole) = match (at(Root::V1), at(Root::V2)) {
            (true, _) => (Root::V1, true),
            (_, true) => (Root::V2, true),
            _ => (Root::default(), false),
        };
        let mut made = Self {
            http,
            root,
            company_db,
            user,
            password,
            sessions: settings.requests.concurrency,
            adaptive: true,
            licence_codes: vec![-131],
            page_size: 500,
            max_request: 4 << 20,
            approvals: true,
            contacts: Contacts::default(),
            most_contacts: 200,
            tax_table: TaxTable::default(),
            currency_codes: BTreeMap::new(),
            main_currency: String::new(),
            currency_decimals: BTreeMap::new(),
            mark: None,
            requests: settings.requests,
        };
        if !is_whole {
            made.set_root(root);
        }
        made.set_rules(settings);
        Ok(made)
    }

    /// Takes over what `rules` say of the way in: currencies, their decimals, the mark, requests, and as many sessions.
    pub fn set_rules(&mut self, rules: &B1Settings) {
        self.main_currency.clone_from(&rules.company_currency);
        self.currency_decimals.clone_from(&rules.currency_decimals);
        self.mark.clone_from(&rules.reference.mark);
        self.requests = rules.requests;
        self.sessions = rules.requests.concurrency;
    }

    /// Adds headers to every request, as a gateway before the service asks for one. Their values count as secrets.
    ///
    /// # Errors
    /// Of kind `Config`, naming the header, if it is none, or one that is set from the session or from what is sent.
    pub fn add_headers(&mut self, headers: &BTreeMap<String, SecretString>) -> Result<()> {
        add_headers(&mut self.http, headers, &["cookie", "content-type", "prefer"])
    }

    /// How many decimals amounts of a currency have: as configured, else as ISO 4217 says.
    pub(super) fn decimals(&self, currency: &str) -> u32 {
        self.currency_decimals.get(currency).copied().unwrap_or_else(|| minor_units(currency))
    }

    /// Speaks to another root of the same server.
    pub fn set_root(&mut self, root: Root) {
        let path = self.http.base_url.path();
        let before = [Root::V1, Root::V2].iter().find_map(|old| path.strip_suffix(old.path())).unwrap_or(path);
        let path = format!("{}{}", before.trim_end_matches('/'), root.path());
        self.http.base_url.set_path(&path);
        self.root = root;
    }

    /// Checks what types cannot tell.
    ///
    /// # Errors
    /// Of kind `Config`, naming the key.
    pub fn check(&self) -> Result<()> {
        let bounds = [
            ("sessions", self.sessions, 1, 64),
            ("page_size", self.page_size, 1, 100_000),
            ("most_contacts", self.most_contacts, 0, 100_000),
            ("max_request", self.max_request, 4096, 1 << 30),
        ];
        match bounds.into_iter().find(|(_, value, least, most)| value < least || value > most) {
            None => Ok(()),
            Some((key, _, least, most)) => {
                Err(Error::config(OPERATION, format!("must be {least} to {most}")).field(key))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> ServiceLayerSettings {
        ServiceLayerSettings::new(url, "SBODEMO", "manager", "x".into(), &B1Settings::default()).unwrap()
    }

    #[test]
    fn rules_that_come_later_are_taken_over_whole() {
        let rules = "company_currency = 'KWD'\ncurrency_decimals = { KWD = 2 }\nreference.mark = 'U_Mark'\n\
                     requests = { concurrency = 7 }";
        let rules = B1Settings::from_toml(rules).unwrap();
        let new = |rules| ServiceLayerSettings::new("https://b1.example.com", "SBODEMO", "manager", "x".into(), rules);
        let at_once = new(&rules).unwrap();
        let mut later = new(&B1Settings::default()).unwrap();
        later.set_rules(&rules);
        assert_eq!(format!("{later:?}"), format!("{at_once:?}"));
        assert_eq!((later.decimals("KWD"), later.sessions), (2, 7));
    }

    #[test]
    fn the_root_is_read_from_the_address_or_added_to_it() {
        for (url, root, whole) in [
            ("https://b1.example.com:50000", Root::V2, "https://b1.example.com:50000/b1s/v2/"),
            ("https://b1.example.com:50000/b1s/v1", Root::V1, "https://b1.example.com:50000/b1s/v1/"),
            ("https://b1.example.com/sap/b1s/v2/", Root::V2, "https://b1.example.com/sap/b1s/v2/"),
        ] {
            let made = settings(url);
            assert_eq!((made.root, made.http.base_url.as_str()), (root, whole));
        }
        let mut made = settings("https://b1.example.com/sap/b1s/v2/");
        made.set_root(Root::V1);
        assert_eq!(made.http.base_url.as_str(), "https://b1.example.com/sap/b1s/v1/");
    }
}
