//! sapb1-connector
