//! What a plan makes of records: the decided outcomes one by one, expressions against PostgreSQL's answers, and
//! everything together against a naive evaluator.

mod expressions;
mod oracle;
mod outcomes;
mod speed;
mod support;
