//! What is measured from outside: real programs as children, on loopback ports and in directories of their own.

mod dash;
mod process;
mod rival;

pub use dash::Dash;
pub use process::{Cpu, Place, Process, free_address, own_time};
pub use rival::{Rival, Running};
