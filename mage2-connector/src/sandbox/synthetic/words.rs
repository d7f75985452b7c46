//! Names, places and goods, all invented.

pub(super) const FIRST_NAMES: &[&str] =
    &["Ada", "Bogdan", "Chloé", "Dmitri", "Esra", "Fenja", "Grażyna", "Håkon", "Ines", "Юлия", "Kiran", "美咲"];

pub(super) const LAST_NAMES: &[&str] =
    &["Testwell", "Probst", "Sample", "Muster", "Ejemplo", "Exempel", "Przykład", "Prøve", "Пример", "Oneill", "試験"];

pub(super) const STREETS: &[&str] =
    &["Placeholder Lane", "Example Avenue", "Fixture Road", "Dummy Street", "Mockingbird Court", "Specimen Way"];

/// A place, with the rate of its sales tax in hundredths of a percent.
pub(super) struct Place {
    pub(super) city: &'static str,
    pub(super) region: &'static str,
    pub(super) region_code: &'static str,
    pub(super) region_id: u32,
    pub(super) postcode: &'static str,
    pub(super) rate: i64,
}

pub(super) const PLACES: &[Place] = &[
    Place { city: "Calder", region: "Michigan", region_code: "MI", region_id: 33, postcode: "49628", rate: 825 },
    Place { city: "Fairview", region: "California", region_code: "CA", region_id: 12, postcode: "93063", rate: 725 },
    Place { city: "Millbrook", region: "Oregon", region_code: "OR", region_id: 49, postcode: "97035", rate: 0 },
];

/// Goods by SKU and name.
pub(super) const GOODS: &[(&str, &str)] = &[
    ("DW-MUG", "Stoneware Mug"),
    ("DW-LAMP", "Desk Lamp \\\"Lumen\\\""),
    ("DW-TRAY", "Oak Tray"),
    ("DW-ROPE", "Climbing Rope 10/30"),
    ("DW-TENT", "Tent for Two"),
    ("DW-BELL", "Bicycle Bell"),
    ("DW-KNIFE", "Paring Knife"),
    ("DW-BOOK", "Field Notebook"),
    ("DW-SOAP", "Olive Soap"),
    ("DW-VASE", "Glass Vase"),
];

pub(super) const SIZES: &[&str] = &["XS", "S", "M", "L", "XL"];

pub(super) const COLOURS: &[&str] = &["Red", "Blue", "Sand", "Moss"];
