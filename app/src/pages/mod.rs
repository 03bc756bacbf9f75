//! One file for each route.

mod dashboard;
mod home;
mod not_found;
mod pipeline;
mod pipelines;
mod reconcile;

pub use dashboard::DashboardPage;
pub use home::Home;
pub use not_found::NotFound;
pub use pipeline::PipelinePage;
pub use pipelines::Pipelines;
pub use reconcile::ReconcilePage;
