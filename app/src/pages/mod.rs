//! One file for each route.

mod dashboard;
mod home;
mod not_found;
mod pipeline;
mod pipelines;

pub use dashboard::DashboardPage;
pub use home::Home;
pub use not_found::NotFound;
pub use pipeline::PipelinePage;
pub use pipelines::Pipelines;
