//! Breaks a whole Dash in every way that the machine, the database and the lake can break, and checks that nothing which it
//! acknowledged is lost or counted twice.
//!
//! In the order of a round: [`load`] sends [`event`]s in [`body`]s and writes down what was sent and answered ([`book`]); one of the
//! [`faults`] strikes at [`server`], [`postgres`], the S3 server or a [`segment`] of the spool; [`check`] gathers what is there, and
//! [`audit`] compares. [`rig`] holds it all together, [`run`] goes through the rounds, [`report`] tells of them.
//!
//! *Invariant*: it knows Dash as a process, its API, its tables and its files. It does not link the server, and what it checks is
//! not read with the code that wrote it.

pub mod audit;
pub mod body;
pub mod book;
pub mod check;
pub mod event;
pub mod faults;
pub mod load;
pub mod postgres;
pub mod report;
pub mod rig;
pub mod run;
pub mod segment;
pub mod server;
pub mod tmpfs;
