//! The ways into SAP B1, and tests that run over both.

use std::fmt;

/// A way into SAP B1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// SAP B1 RESTful.
    Restful,
    /// SAP's own Service Layer.
    ServiceLayer,
}

impl Way {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Restful, Self::ServiceLayer];

    /// Its name on command lines: `restful` or `service-layer`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Restful => "restful",
            Self::ServiceLayer => "service-layer",
        }
    }

    /// The way of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == name)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Makes two tests of each function that is named: one for each [`Way`], in the modules `over_restful` and
/// `over_service_layer`. It stands once in a module.
///
/// ```
/// # mod no_test_here {
/// use sapb1_connector::sandbox::{B1Sandbox, Company, Way};
///
/// sapb1_connector::over_both_ways! { a_company_starts_without_documents }
///
/// async fn a_company_starts_without_documents(way: Way) {
///     let sandbox = B1Sandbox::start(way, Company::default()).await.unwrap();
///     assert_eq!(sandbox.counters().documents, 0);
/// }
/// # }
/// # fn main() {}
/// ```
///
/// The crate that calls it needs `tokio` with its features `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! over_both_ways {
    ($($test:ident)*) => {
        mod over_restful {
            $(#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::sandbox::Way::Restful).await;
            })*
        }

        mod over_service_layer {
            $(#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::sandbox::Way::ServiceLayer).await;
            })*
        }
    };
}
