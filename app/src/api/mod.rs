//! Server functions, one file for each area. They only pass on to [`crate::ports`].

mod account;
mod dashboards;
mod live;
mod metrics;
mod organization;
mod pipelines;
mod reconcile;
mod ways;

pub use account::*;
pub use dashboards::*;
pub use live::*;
pub use metrics::*;
pub use organization::*;
pub use pipelines::*;
pub use reconcile::*;
pub use ways::*;
