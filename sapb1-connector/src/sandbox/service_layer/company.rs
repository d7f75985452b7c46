//! What a company has from the start: codes, customers, items.

use serde_json::{Map, Value, json};

use super::check::user_table;
use super::decimal::number;
use super::options::SandboxOptions;
use super::tables::{Part, Tables};

const NAME: &str = "OEC Computers";

/// The tables of a new company.
pub(super) fn tables(options: &SandboxOptions) -> Tables {
    let mut tables = Tables::default();
    let mut put = |set, key, values: Value| {
        let empty = Map::new();
        tables.put(set, key, values.as_object().unwrap_or(&empty));
    };
    let text = |text: &str| vec![Part::Text(text.to_owned())];
    for (code, name) in (1_i64..).zip(&options.expenses) {
        put("AdditionalExpenses", vec![Part::Int(code)], json!({ "ExpensCode": code, "Name": name }));
    }
    for (code, name) in (1_i64..).zip(&options.shipping_types) {
        put("ShippingTypes", vec![Part::Int(code)], json!({ "Code": code, "Name": name }));
    }
    for code in &options.payment_methods {
        let values =
            json!({ "PaymentMethodCode": code, "Description": code, "Type": "boptIncoming", "Active": "tYES" });
        put("WizardPaymentMethods", text(code), values);
    }
    for (code, rate) in &options.tax_codes {
        put("SalesTaxCodes", text(code), json!({ "Code": code, "Name": code, "Rate": number(*rate) }));
        let lines = json!([{ "Effectivefrom": "2000-01-01", "Rate": number(*rate) }]);
        put("VatGroups", text(code), json!({ "Code": code, "Name": code, "VatGroups_Lines": lines }));
    }
    let others = options.currencies.iter().map(|(code, _)| code);
    for code in std::iter::once(&options.currency).chain(others) {
        put("Currencies", text(code), json!({ "Code": code, "Name": code, "DocumentsCode": code }));
    }
    for (id, field) in (0_i64..).zip(&options.user_fields) {
        let values = json!({
            "TableName": field.table, "FieldID": id, "Name": field.name, "Description": field.name,
            "Type": "db_Alpha", "Size": field.size, "EditSize": field.size, "SubType": "st_None", "Mandatory": "tNO",
        });
        put("UserFieldsMD", vec![Part::Text(field.table.clone()), Part::Int(id)], values);
    }
    put("Warehouses", text("01"), json!({ "WarehouseCode": "01", "WarehouseName": "General Warehouse" }));
    let terms = json!({ "GroupNumber": -1, "PaymentTermsGroupName": "- Cash Basic -" });
    put("PaymentTermsTypes", vec![Part::Int(-1)], terms);
    for code in options.customers.iter().flatten() {
        let values = json!({ "CardCode": code, "CardName": code, "CardType": "cCustomer", "Currency": "##" });
        put("BusinessPartners", text(code), values);
    }
    for code in options.items.iter().flatten() {
        put("Items", text(code), json!({ "ItemCode": code, "ItemName": code }));
    }
    tables
}

/// What `CompanyService_GetCompanyInfo` tells.
pub(super) fn info() -> Value {
    json!({ "Version": 1_000_190, "CompanyName": NAME })
}

/// What `CompanyService_GetAdminInfo` tells.
pub(super) fn admin_info(options: &SandboxOptions) -> Value {
    json!({
        "CompanyName": NAME, "LocalCurrency": options.currency, "SystemCurrency": options.currency,
        "Country": "US", "DecimalSeparator": ".", "ThousandsSeparator": ",", "TotalsAccuracy": 2, "PriceAccuracy": 6,
        "AccuracyofQuantities": 2, "RateAccuracy": 4, "PercentageAccuracy": 4, "DirectIndirectRate": if options.indirect_rates { "tNO" } else { "tYES" },
        "DefaultWarehouse": "01",
    })
}

/// The table of `UserFieldsMD` that makes a field usable in these types.
pub(super) fn marketing_table(table: &str) -> &str {
    // A field of any document's header or rows is a field of all documents.
    match table {
        "OINV" | "ODLN" | "ORIN" | "ODPI" | "OQUT" | "ODRF" => user_table("Document"),
        "INV1" | "DLN1" | "RIN1" | "DPI1" | "QUT1" | "DRF1" => user_table("DocumentLine"),
        other => other,
    }
}
