//! The tables and their flows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Which way a table goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From e-commerce to the ERP.
    ToBackoffice,
    /// From the ERP to e-commerce.
    ToFrontend,
}

macro_rules! tables {
    ($($variant:ident $name:literal $direction:ident $source:literal $target:literal $task:literal $one:literal;)*) => {
        /// One kind of entity that is kept in step. Its name is what stands in the store and on the wire.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Table {
            $(#[doc = concat!("`", $name, "`, pulled by the task `", $task, "`")] #[serde(rename = $name)] $variant,)*
        }

        impl Table {
            /// Every table.
            pub const ALL: &'static [Table] = &[$(Table::$variant),*];

            /// The name in the store and on the wire.
            pub fn name(self) -> &'static str {
                match self { $(Table::$variant => $name),* }
            }

            /// Which way it goes.
            pub fn direction(self) -> Direction {
                match self { $(Table::$variant => Direction::$direction),* }
            }

            /// The name of the key at the source.
            pub fn source_key(self) -> &'static str {
                match self { $(Table::$variant => $source),* }
            }

            /// The name of the key at the target.
            pub fn target_key(self) -> &'static str {
                match self { $(Table::$variant => $target),* }
            }

            /// The task that pulls it, as in a cut's key.
            pub fn task(self) -> &'static str {
                match self { $(Table::$variant => $task),* }
            }

            /// What one entity is called in texts for people.
            pub fn singular(self) -> &'static str {
                match self { $(Table::$variant => $one),* }
            }
        }
    };
}

tables! {
    Orders "orders" ToBackoffice "fe_order_id" "bo_order_id" "sync_orders" "order";
    CustomersBo "customers-bo" ToBackoffice "fe_customer_id" "bo_customer_id" "sync_bo_customers" "customer";
    ItemReceipts "itemreceipts" ToBackoffice "bo_po_num" "bo_itemreceipt_id" "sync_item_receipts" "item receipt";
    CustomersFe "customers-fe" ToFrontend "bo_customer_id" "fe_customer_id" "sync_fe_customers" "customer";
    Products "products" ToFrontend "sku" "fe_product_id" "sync_products" "product";
    ProductsInventory "products-inventory" ToFrontend "sku" "fe_product_id" "sync_products_ext_data" "stock level";
    ProductsPriceLevels "products-pricelevels" ToFrontend "sku" "fe_product_id" "sync_products_ext_data" "price level";
    ProductsCategories "products-categories" ToFrontend "sku" "fe_product_id" "sync_products_ext_data" "product category";
    ProductsLinks "products-links" ToFrontend "sku" "fe_product_id" "sync_products_ext_data" "product link";
    ProductsImageGallery "products-imagegallery" ToFrontend "sku" "fe_product_id" "sync_products_ext_data" "image gallery";
    ProductsCustomOption "products-customoption" ToFrontend "sku" "fe_product_id" "sync_products_ext_data" "custom option";
    ProductsVariants "products-variants" ToFrontend "sku" "fe_product_id" "sync_products_ext_data" "product variant";
    Shipments "shipments" ToFrontend "bo_shipment_id" "fe_shipment_id" "sync_shipments" "shipment";
    Invoices "invoices" ToFrontend "bo_invoice_id" "fe_invoice_id" "sync_invoices" "invoice";
    PurchaseOrders "purchaseorders" ToFrontend "bo_po_num" "fe_po_num" "sync_purchase_orders" "purchase order";
}

#[cfg(feature = "api")]
impl utoipa::PartialSchema for Table {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .enum_values(Some(Table::ALL.iter().map(|table| table.name())))
            .into()
    }
}

#[cfg(feature = "api")]
impl utoipa::ToSchema for Table {}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Table {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Table::ALL.iter().copied().find(|table| table.name() == text).ok_or_else(|| {
            let names: Vec<_> = Table::ALL.iter().map(|table| table.name()).collect();
            Error::config("read table name", format!("`{text}` is no table; one of {}", names.join(", ")))
        })
    }
}

/// One flow: a table of one frontend. Cuts, leases of pulls, queues and sync tasks are kept per flow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct FlowId {
    /// The table.
    pub table: Table,
    /// The name of the frontend, as the connection is called in the configuration (`mage2`).
    pub frontend: String,
}

impl FlowId {
    /// The flow of `table` of `frontend`.
    pub fn new(table: Table, frontend: impl Into<String>) -> Self {
        Self { table, frontend: frontend.into() }
    }
}

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.table, self.frontend)
    }
}
