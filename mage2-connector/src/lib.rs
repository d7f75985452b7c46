//! Magento 2 (Open Source and Adobe Commerce) as a frontend of datawald.
//!
//! * [`Mage2Client`] speaks Magento's REST API: three ways to log in ([`Credentials`]), [`SearchCriteria`], errors in
//!   Magento's own words, and a page of orders that neither misses nor repeats one while the shop goes on selling.
//! * [`Mage2Agency`] implements every step of [`datawald_frontend::Frontend`]: fetching orders, mapping all the shapes
//!   that Magento gives them (configurables, bundles, virtual goods, guests, foreign currencies, replaced orders) to
//!   the canonical [`datawald_core::model::Order`], checking them, and deciding what is to be done with each.
//! * `sandbox` (feature `sandbox`) is a Magento to test with: an HTTP server in this process, with orders of every
//!   shape and a switch for every fault.
//!
//! An agent of your own stands on the agency and overrides the steps that are different in your shop:
//!
//! ```
//! use async_trait::async_trait;
//! use datawald_core::model::Order;
//! use datawald_core::{Cx, Result};
//! use datawald_frontend::{Frontend, RawDoc};
//! use mage2_connector::{Mage2Agency, Mage2Settings};
//!
//! struct MyShop {
//!     base: Mage2Agency,
//! }
//!
//! #[async_trait]
//! impl Frontend for MyShop {
//!     fn base(&self) -> &dyn Frontend {
//!         &self.base
//!     }
//!
//!     async fn map_order(&self, cx: &Cx, raw: &RawDoc) -> Result<Order> {
//!         let mut order = self.base.map_order(cx, raw).await?;
//!         order.ext.insert("channel".into(), "web".into());
//!         Ok(order)
//!     }
//! }
//!
//! # fn main() -> Result<()> {
//! let settings = Mage2Settings::bearer("https://shop.example.com", "the integration's access token");
//! let shop = MyShop { base: Mage2Agency::new(settings)? };
//! # let _ = shop;
//! # Ok(())
//! # }
//! ```
//!
//! `https` takes the TLS provider that the program has: it installs one in its `main`, hands one over
//! ([`Mage2Settings::tls_provider`]), or asks for datawald-core's feature `ring`; see [`datawald_core::tls`].
//!
//! # Amounts
//!
//! All amounts are those in **order currency** (`grand_total`, not `base_grand_total`): what the customer saw and was
//! charged. How they are derived is told at [`Mage2Agency`].
//!
//! # What Magento cannot give
//!
//! An order whose data Magento cannot serialise makes it answer HTTP 500 for every page that holds the order. Such a page is asked
//! for in smaller parts until the order is found; it is staged as failed, with its id and a reason, and the pull goes on
//! behind it. It is asked for by itself after a minute, then ever more seldom, at last once an hour, as long as the process lives, and
//! taken as soon as it can be read; after a new start it is taken when it changes in Magento, or when an operator moves the cut
//! back. Where no other order can be read either, it is Magento that fails: nothing is staged, and the pull ends and is made again.
//!
//! An answer without `items` is none, with whatever status: a shop is empty only if Magento says so.
//!
//! # What stands before Magento
//!
//! Answers are asked for in gzip, and may begin with a byte-order mark. Redirects are not followed; the error says where they lead and
//! what `base_url` should be. A firewall's own header is configured ([`Mage2Settings::headers`]). A gate that asks for HTTP
//! Basic must let `/rest` pass, or that header: it and Magento both want the header `Authorization`.

mod agency;
mod client;
mod wording;

#[cfg(feature = "sandbox")]
pub mod sandbox;

pub use agency::{Mage2Agency, OrderSettings};
pub use client::{
    AdminLogin, Condition, Credentials, Direction, Mage2Client, Mage2Settings, OAuth1Keys, SearchCriteria, base_string,
    format_time, hmac_sha256_signature, parse_time, path_segment, render_message,
};
