//! The server: everything behind the pages.
//!
//! Read it in the order of an event's way: [`web`] takes a request, [`ingest`] makes a durable batch of its body, [`processor`]
//! makes points and lake objects of batches, [`live`] tells the browsers. [`access`] judges who asks, [`accounts`] is what people do with their own. [`run`] puts it all together; [`config`] says with what.
#![recursion_limit = "256"]

pub mod access;
pub mod accounts;
pub mod activity;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod failure;
pub mod figures;
pub mod files;
pub mod housekeeping;
pub mod ingest;
pub mod live;
pub mod ports;
pub mod processor;
pub mod reconcile;
pub mod run;
pub mod sources;
pub mod state;
pub mod vault;
pub mod web;
