//! One file for each route, or for a few that belong together.

mod account;
mod dashboard;
mod home;
mod link;
mod mailbox;
mod not_found;
mod organization;
mod pipeline;
mod pipelines;
mod reconcile;
mod sign_in;

pub use account::AccountPage;
pub use dashboard::DashboardPage;
pub use home::Home;
pub use link::{Confirm, InvitationPage, NewPassword, SetUp, UseLink};
pub use mailbox::Mailbox;
pub use not_found::NotFound;
pub use organization::OrganizationPage;
pub use pipeline::PipelinePage;
pub use pipelines::Pipelines;
pub use reconcile::ReconcilePage;
pub use sign_in::{AskLink, AskReset, Code, SignIn, SignUp};
