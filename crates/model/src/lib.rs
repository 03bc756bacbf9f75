//! The vocabulary that browser and server share: plain data and serde, nothing that does I/O.
//!
//! Read it in the order of an event's way: a [`pipeline`] has a source and a [`mapping`]; what is posted is answered
//! by a [`receipt`]; metrics are asked for by a [`query`], stand on a [`dashboard`] and move over [`live`].

pub mod account;
pub mod dashboard;
pub mod ids;
pub mod jobs;
pub mod live;
pub mod mapping;
pub mod order;
pub mod path;
pub mod people;
pub mod pipeline;
pub mod point;
pub mod query;
pub mod receipt;
pub mod reconcile;
pub mod record;
pub mod shared;
pub mod stats;
mod words;

pub use ids::{
    BatchId, DEFAULT_ORGANIZATION, DashboardId, EventSeq, MappingVersionId, Micros, OrganizationId, PipelineId, TeamId,
    UserId,
};
pub use path::{FieldPath, PathStep, RecordsPath};
