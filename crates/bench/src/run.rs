//! Row after row. One that fails does not keep the others from being told.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures::FutureExt;

use crate::{
    context::{Context, progress},
    machine::Machine,
    row::Row,
    rows::Named,
};

/// What all rows came to.
pub struct Measured {
    pub machine: Machine,
    pub rows: Vec<Row>,
    pub failed: Vec<Failed>,
    /// How long each row took, loading included.
    pub took: Vec<(&'static str, Duration)>,
}

/// A row that could not be measured, or that counted wrong.
#[derive(serde::Serialize)]
pub struct Failed {
    pub row: &'static str,
    pub why: String,
}

/// Measures these, in this order.
pub async fn all(context: &Context, chosen: &[&'static Named]) -> Measured {
    let mut measured = Measured {
        machine: Machine::of(context),
        rows: Vec::new(),
        failed: Vec::new(),
        took: Vec::new(),
    };
    for (i, named) in chosen.iter().enumerate() {
        progress(&format!(
            "{} of {}: {}, {}",
            i + 1,
            chosen.len(),
            named.name,
            named.about
        ));
        let begun = Instant::now();
        // A panic is a row's failure as well; what it left behind is dropped with it.
        let told = AssertUnwindSafe((named.run)(context)).catch_unwind().await;
        measured.took.push((named.name, begun.elapsed()));
        let why = match told {
            Ok(Ok(rows)) => {
                measured.rows.extend(rows);
                continue;
            }
            Ok(Err(error)) => format!("{error:#}"),
            Err(panic) => format!("it panicked: {}", words(&*panic)),
        };
        progress(&format!("    {} failed: {why}", named.name));
        measured.failed.push(Failed { row: named.name, why });
    }
    measured
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a word")
}
