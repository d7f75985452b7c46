//! mage2-connector
