//! Where the bytes of documents lie. A store knows names and bytes, never what they are about: who may see a file is asked before.
//!
//! The order of a write is what no crash can undo: a row that says "arriving", the sealed bytes under a temporary name, synced, moved to their
//! name, the folder synced, and then the transaction that makes the file somebody's. Whatever breaks off leaves a row that explains what lies
//! on the disk, and the sweep ([`crate::files::sweep`]) takes both away.

pub mod kinds;
pub mod local;
pub mod paperless;
pub mod seal;

use std::io::{self, Read};

use seal::FileKey;

use crate::{
    charset,
    checksums::{Checksums, Hasher},
};

/// What a store is asked to keep bytes under: made by us, of letters that every file system takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlobName(String);

impl BlobName {
    pub fn new() -> Self {
        Self(uuid::Uuid::now_v7().simple().to_string())
    }
    /// A name of the database, or of a folder's listing.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| Self(text.to_owned()))
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for BlobName {
    fn default() -> Self {
        Self::new()
    }
}

/// What came in, once all of it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    pub size: u64,
    /// Of the bytes as they came.
    pub sums: Checksums,
    /// The first bytes, enough to tell what it is: at most [`kinds::HEAD`].
    pub head: Vec<u8>,
    /// If it is a text: the letters its bytes stand for. None if that was not looked at.
    pub charset: Option<&'static str>,
}

/// A part of a file: from this byte, so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: u64,
    pub length: u64,
}

impl Span {
    pub fn whole(size: u64) -> Self {
        Self { from: 0, length: size }
    }
}

/// A place that keeps sealed bytes. A third one (S3, `WebDAV`) is one file that implements this.
pub trait Storage: Send + Sync {
    /// As the database calls it.
    fn name(&self) -> &'static str;
    /// Begins to take bytes in; nothing is there until [`Incoming::finish`]. `Unsupported` where bytes come by another way.
    fn begin(&self, name: &BlobName, key: &FileKey) -> io::Result<Box<dyn Incoming>>;
    /// The bytes again. `size` is that of the whole, which its seal proves.
    fn open(&self, name: &BlobName, key: &FileKey, size: u64, span: Span) -> io::Result<Box<dyn Read + Send>>;
    /// Takes it away; what is not there is gone already.
    fn remove(&self, name: &BlobName) -> io::Result<()>;
    /// How many bytes lie there under the name, seal and all; none if there is nothing.
    fn weigh(&self, name: &BlobName) -> io::Result<Option<u64>>;
    /// What a file of that size weighs there.
    fn weight_of(&self, size: u64) -> u64 {
        seal::sealed_size(size)
    }
    /// Everything that lies there, for whoever looks for what nobody knows of.
    fn names(&self) -> io::Result<Vec<BlobName>>;
    /// What lies there and cannot be one of ours, by its place within the store; told, and never touched.
    fn strays(&self) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// Bytes on their way in. Dropped before the end, it leaves nothing.
pub trait Incoming: Send {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Synced and under its name: what is told here survives a fall of the power.
    fn finish(self: Box<Self>) -> io::Result<Arrived>;
}

/// Counts, sums, tells the letters and keeps the beginning of what passes.
#[derive(Default)]
struct Tally {
    size: u64,
    sums: Hasher,
    head: Vec<u8>,
    letters: charset::Finder,
}

impl Tally {
    fn add(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.sums.update(bytes);
        self.letters.add(bytes);
        let room = kinds::HEAD.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(room));
    }
    fn told(self) -> Arrived {
        let charset = Some(self.letters.found(true));
        Arrived { size: self.size, sums: self.sums.finish(), head: self.head, charset }
    }
}
