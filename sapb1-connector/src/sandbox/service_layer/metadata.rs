//! `$metadata`: what there is, as OData describes it. It is the company's: its user-defined fields are in it.

use std::fmt::Write;

use super::answer::Answer;
use super::check::user_table;
use super::error::Version;
use super::options::UserField;
use super::schema::{Enumeration, Kind, Property, Type, schema};

/// Actions of the whole company, with what they answer.
const GLOBAL: [(&str, Option<&str>); 6] = [
    ("CompanyService_GetAdminInfo", Some("SAPB1.AdminInfo")),
    ("CompanyService_GetCompanyInfo", Some("SAPB1.CompanyInfo")),
    ("SBOBobService_GetCurrencyRate", Some("Edm.Double")),
    ("SBOBobService_GetLocalCurrency", Some("Edm.String")),
    ("SBOBobService_GetSystemCurrency", Some("Edm.String")),
    ("Logout", None),
];

/// Actions on a document.
const BOUND: [&str; 3] = ["Cancel", "Close", "Reopen"];

/// The answer to `GET $metadata`.
pub(super) fn metadata(version: Version, user_fields: &[UserField]) -> Answer {
    let mut xml = Xml { text: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), version };
    xml.document(user_fields);
    let answer = Answer { status: 200, headers: Vec::new(), body: xml.text.into_bytes() };
    let answer = answer.with("Content-Type", "application/xml;charset=utf-8");
    if version == Version::V2 { answer.with("OData-Version", "4.0") } else { answer }
}

struct Xml {
    text: String,
    version: Version,
}

impl Xml {
    /// A tag with its attributes, as `<Member Name="tNO" Value="N"/>`.
    fn tag(&mut self, name: &str, attributes: &[(&str, &str)], end: &str) {
        self.text.push('<');
        self.text.push_str(name);
        for (name, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
            let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            // Writing into memory does not fail.
            let _ = write!(self.text, " {name}=\"{value}\"");
        }
        self.text.push_str(end);
        self.text.push('\n');
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes, ">");
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes, "/>");
    }

    fn close(&mut self, name: &str) {
        let _ = writeln!(self.text, "</{name}>");
    }

    fn document(&mut self, user_fields: &[UserField]) {
        let (edmx, edm, version) = match self.version {
            Version::V1 => {
                ("http://schemas.microsoft.com/ado/2007/06/edmx", "http://schemas.microsoft.com/ado/2009/11/edm", "1.0")
            }
            Version::V2 => {
                ("http://docs.oasis-open.org/odata/ns/edmx", "http://docs.oasis-open.org/odata/ns/edm", "4.0")
            }
        };
        self.open("edmx:Edmx", &[("Version", version), ("xmlns:edmx", edmx)]);
        match self.version {
            Version::V1 => self.open(
                "edmx:DataServices",
                &[
                    ("m:DataServiceVersion", "3.0"),
                    ("m:MaxDataServiceVersion", "3.0"),
                    ("xmlns:m", "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"),
                ],
            ),
            Version::V2 => self.open("edmx:DataServices", &[]),
        }
        self.open("Schema", &[("Namespace", "SAPB1"), ("xmlns", edm)]);
        for (name, enumeration) in schema().enumerations() {
            self.enumeration(name, enumeration);
        }
        for of in schema().types() {
            self.of_type(of, user_fields);
        }
        if self.version == Version::V2 {
            self.actions();
        }
        self.container();
        for name in ["Schema", "edmx:DataServices", "edmx:Edmx"] {
            self.close(name);
        }
    }

    fn enumeration(&mut self, name: &str, enumeration: &Enumeration) {
        self.open("EnumType", &[("Name", name)]);
        for (name, value) in enumeration.members() {
            self.empty("Member", &[("Name", name), ("Value", value)]);
        }
        self.close("EnumType");
    }

    fn of_type(&mut self, of: &Type, user_fields: &[UserField]) {
        let kind = if of.key.is_empty() { "ComplexType" } else { "EntityType" };
        self.open(kind, &[("Name", of.name)]);
        if !of.key.is_empty() {
            self.open("Key", &[]);
            of.key.iter().for_each(|name| self.empty("PropertyRef", &[("Name", name)]));
            self.close("Key");
        }
        for property in &of.properties {
            self.property(property, of.key.contains(&property.name));
        }
        let table = user_table(of.name);
        for field in user_fields.iter().filter(|field| !table.is_empty() && field.table == table) {
            let name = format!("U_{}", field.name);
            self.empty("Property", &[("Name", &name), ("Type", "Edm.String"), ("UserField", "true")]);
        }
        self.close(kind);
    }

    fn property(&mut self, property: &Property, is_key: bool) {
        let one = match (property.kind, self.version) {
            (Kind::Int, _) => "Edm.Int32".to_owned(),
            (Kind::Num, _) => "Edm.Double".to_owned(),
            (Kind::Text, _) => "Edm.String".to_owned(),
            (Kind::Date, Version::V1) => "Edm.DateTime".to_owned(),
            (Kind::Date, Version::V2) => "Edm.DateTimeOffset".to_owned(),
            (Kind::Time, Version::V1) => "Edm.Time".to_owned(),
            (Kind::Time, Version::V2) => "Edm.TimeOfDay".to_owned(),
            (Kind::Named(name), _) => format!("SAPB1.{name}"),
        };
        let whole = if property.list { format!("Collection({one})") } else { one };
        // The metadata has the database's value of an enumeration, not its name.
        let default = property.default.map_or("", |default| match property.kind {
            Kind::Named(name) => schema().enumeration(name).and_then(|it| it.value_of(default)).unwrap_or(default),
            _ => default,
        });
        // Both attributes are SAP's own, and v4 has no place for them.
        let writable = match (self.version, property.read_only) {
            (Version::V2, _) => "",
            (Version::V1, true) => "false",
            (Version::V1, false) => "true",
        };
        let nullable = if is_key { "false" } else { "" };
        self.empty(
            "Property",
            &[
                ("DefaultValue", default),
                ("Name", property.name),
                ("Nullable", nullable),
                ("Type", &whole),
                ("Writable", writable),
            ],
        );
    }

    /// Actions as v4 has them, beside the types.
    fn actions(&mut self) {
        for name in BOUND {
            self.open("Action", &[("Name", name), ("IsBound", "true")]);
            self.empty("Parameter", &[("Name", "DocumentParams"), ("Type", "SAPB1.Document")]);
            self.close("Action");
        }
        for (name, answered) in GLOBAL {
            self.open("Action", &[("Name", name)]);
            if let Some(kind) = answered {
                self.empty("ReturnType", &[("Type", kind)]);
            }
            self.close("Action");
        }
    }

    fn container(&mut self) {
        self.open("EntityContainer", &[("Name", "ServiceLayer")]);
        for set in schema().set_names().iter().filter_map(|name| schema().set(name)) {
            let entity = format!("SAPB1.{}", set.entity);
            let table = if self.version == Version::V1 { set.table } else { "" };
            self.empty("EntitySet", &[("EntityType", &entity), ("Name", set.name), ("TableName", table)]);
        }
        for (name, answered) in GLOBAL {
            match self.version {
                Version::V1 => {
                    let answered = answered.unwrap_or_default();
                    self.empty("FunctionImport", &[("Name", name), ("ReturnType", answered), ("m:HttpMethod", "POST")]);
                }
                Version::V2 => {
                    let action = format!("SAPB1.{name}");
                    self.empty("ActionImport", &[("Action", &action), ("Name", name)]);
                }
            }
        }
        if self.version == Version::V1 {
            for name in BOUND {
                let bound = [("IsBindable", "true"), ("Name", name), ("m:HttpMethod", "POST")];
                self.open("FunctionImport", &bound);
                self.empty("Parameter", &[("Name", "DocumentParams"), ("Type", "SAPB1.Document")]);
                self.close("FunctionImport");
            }
        }
        self.close("EntityContainer");
    }
}
