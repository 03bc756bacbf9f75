//! Server functions, one file for each area. They only pass on to [`crate::ports`].

mod dashboards;
mod live;
mod metrics;
mod pipelines;
mod reconcile;

pub use dashboards::*;
pub use live::*;
pub use metrics::*;
pub use pipelines::*;
pub use reconcile::*;
