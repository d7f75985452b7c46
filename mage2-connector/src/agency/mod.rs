//! Magento's orders as canonical orders.
//!
//! * `leaf`: values as Magento writes them: numbers as numbers or text, text as numbers, null, absent;
//! * `doc`: the parts of an order document that are read;
//! * `lines`: which rows are sellable lines; `fixed_tax`: the fixed product taxes on them;
//! * `freight`: what was taken off freight, and what off the goods;
//! * `map`, `address`: the canonical order;
//! * `identify`, `validate`, `decide`: the other steps;
//! * `settings`: what is configured;
//! * `steps`: the agency itself.

mod address;
mod decide;
mod doc;
mod fixed_tax;
mod freight;
mod identify;
pub(crate) mod leaf;
mod lines;
mod map;
mod settings;
mod steps;
mod validate;

pub use settings::OrderSettings;
pub use steps::Mage2Agency;
