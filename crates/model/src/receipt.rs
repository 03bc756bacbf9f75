//! The answer to a posted body.

use serde::{Deserialize, Serialize};

use crate::BatchId;

/// 202: the batch is durable. The same request repeated under its Idempotency-Key is answered with the same receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Names the batch in every later question.
    pub batch: BatchId,
    /// Records that were taken.
    pub accepted: u32,
    /// Records that were not, each with its reason; at most [`MAX_LISTED`] are listed.
    pub rejected: Vec<Rejection>,
    /// How many were rejected in all.
    pub rejected_total: u32,
}

/// Rejections listed in a receipt.
pub const MAX_LISTED: usize = 100;

/// A record that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The record's place in the body, from 0.
    pub index: u32,
    pub reason: String,
}
