//! Stage 3: a mapping version becomes a Polars plan; records go in, points and quarantine come out. No I/O.
mod bridge;
mod decode;
mod expr;
mod output;
mod plan;

pub use plan::{Input, Plan, TransformError, Transformed};
