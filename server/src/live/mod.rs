//! The live channel: each distinct question is computed once, however many look at it.
//!
//! A topic ([`dash_model::live::Topic`]) has one task while somebody follows it. A committed write wakes the topics of its pipeline; the task
//! computes the new state from the parts of the last one that nobody wrote to since, publishes the difference under the next sequence and keeps the last differences for those
//! who come back. A viewer is never buffered for: it takes what brings it from the state it has to the newest one.

mod frame;
mod hub;
mod session;
mod socket;
mod topic;
mod watch;

pub use hub::{Before, Commit, Compute, Computed, Hub, PartsOf};
pub use session::serve;
pub use socket::Socket;
pub use topic::Update;
pub use watch::{Entrance, Watch, Watched};
