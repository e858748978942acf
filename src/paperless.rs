//! A client of Paperless-ngx 2.16 to 3.0: somebody's documents, sent there, found there and read back.
//!
//! Synchronous: it is called from the jobs' thread and from the blocking pool, never from a thread that answers requests. It keeps no state but
//! connections: what a call learned, such as the server's version, the next call learns again, because a server may be upgraded between them.
//!
//! Two real servers were asked what they do, 2.20.15 and 3.0.5; `tests/paperless/server.rs` behaves as they did.

mod address;
pub(crate) mod call;
mod changes;
mod checksum;
mod client;
mod documents;
mod fault;
pub(crate) mod guard;
mod labels;
mod multipart;
pub(crate) mod network;
mod probe;
mod right;
mod search;
pub mod sync;
mod task;
mod token;
mod upload;

pub use self::{
    address::{Address, AddressProblem},
    changes::Change,
    checksum::{Checksum, Checksums, Hasher},
    client::{Client, DocumentId, TaskId},
    documents::{Document, Downloaded, FieldValue, Original, Thumbnail},
    fault::{Decision, Fault, Field, Instead, Unreachable, Version},
    guard::Names,
    labels::Label,
    network::{Network, Options, Patience},
    probe::Server,
    right::Right,
    search::{Hit, Hits, Part},
    task::{TaskFailure, TaskState},
    token::Token,
    upload::{Upload, cut_title},
};
