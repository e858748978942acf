//! Every integration test in one binary. `common` holds the test app and its people; a module is named after what it holds to account.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a failing test may panic"
)]

mod access;
mod admin;
mod api;
mod attaching;
mod audit;
mod cli;
mod commands;
mod common;
mod concurrency;
mod document_words;
mod durability;
mod factors;
mod family;
mod files;
mod forms;
mod hardening;
mod imports;
mod inbox;
mod keys;
mod links;
mod log;
mod looks;
mod migrations;
mod oidc;
mod pages;
mod paperless;
mod patients;
mod photos;
mod practitioner_files;
mod previews;
mod processes;
mod purging;
mod quota;
mod records;
mod reset;
mod sessions;
mod sharing;
mod status;
mod sync;
mod words;
