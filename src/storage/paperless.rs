//! Files whose bytes lie in somebody's Paperless-ngx and nowhere else. They come there by the queue ([`crate::paperless::sync`]), not by
//! [`Storage::begin`], because whether they have arrived is known minutes later; they are read back through the connection of whoever sent them.
//!
//! Paperless-ngx answers with the whole document whatever range it is asked for, and nothing of it is sealed: so all of it is read, what was not
//! asked for is passed over, and the last piece is handed on only when the checksum of the whole agreed.

use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use diesel::prelude::*;

use super::{BlobName, Incoming, Span, Storage, seal::FileKey};
use crate::{
    auth::secret::SecretKey,
    checksums::{Checksums, Hasher},
    clock::Clock,
    db::{
        Db,
        schema::{blobs, files, paperless_copies as copies},
        types::{FileId, UserId},
    },
    error::Result,
    paperless::{
        DocumentId, Fault,
        sync::{
            connection,
            copies::{State, Step},
            reason,
            wire::Wire,
        },
    },
};

/// As the database calls it.
pub const NAME: &str = "paperless";
/// Pieces that wait for whoever reads.
const PIECES: usize = 4;

#[derive(Clone)]
pub struct Paperless {
    db: Db,
    key: Arc<SecretKey>,
    wire: Wire,
    clock: Clock,
}

/// Why it cannot be read now, as the error within an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotNow(pub Fault);

impl NotNow {
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }
}

fn not_now(fault: Fault) -> io::Error {
    match fault {
        Fault::Here(kind) => kind.into(),
        fault => io::Error::other(NotNow(fault)),
    }
}

/// Where the bytes of a name are.
struct There {
    file: FileId,
    user: UserId,
    document: Option<i64>,
    state: State,
    sums: Checksums,
}

impl Paperless {
    pub fn new(db: Db, key: Arc<SecretKey>, wire: Wire, clock: Clock) -> Self {
        Self { db, key, wire, clock }
    }

    fn find(&self, name: &BlobName) -> Result<Option<There>> {
        self.db.read(|conn| {
            let row: Option<(FileId, UserId, Option<i64>, State, String, String)> = files::table
                .inner_join(copies::table.on(copies::file_id.eq(files::id)))
                .filter(files::blob.eq(name.as_str()))
                .select((copies::file_id, copies::user_id, copies::document_id, copies::state, files::sha256, files::md5))
                .first(conn)
                .optional()?;
            Ok(row.map(|(file, user, document, state, sha256, md5)| There { file, user, document, state, sums: Checksums { sha256, md5 } }))
        })
    }

    /// Says that it was not to be found there, or was another one, for its page and the next look.
    fn note(&self, file: &FileId, state: State, why: &str) {
        let now = self.clock.now();
        let noted = self.db.write(|tx| {
            let row = copies::table.filter(copies::file_id.eq(file)).filter(copies::step.eq(Step::Rest));
            Ok(diesel::update(row).set((copies::state.eq(state), copies::reason.eq(why), copies::updated_at.eq(now))).execute(&mut **tx)?)
        });
        if let Err(error) = noted {
            log::warn!("what was found in Paperless-ngx is not noted: {error}");
        }
    }

    fn read(&self, name: &BlobName, size: u64, span: Span) -> Result<Box<dyn Read + Send>, Fault> {
        let broken = |_| Fault::Here(io::ErrorKind::Other);
        let there = self.find(name).map_err(broken)?.ok_or(Fault::NotFound)?;
        let id = there.document.map(DocumentId).ok_or(Fault::NotFound)?;
        let connection = self.db.read(|conn| connection::named(conn, &there.user)).map_err(broken)?;
        let client = connection.client(&self.wire.network()?, &self.key)?;
        let (sender, pieces) = sync_channel(PIECES);
        let store = self.clone();
        let work = move || {
            let mut sieve = Sieve { to: &sender, span, at: 0, held: Vec::new(), hasher: Hasher::default() };
            let read = client.document(id).and_then(|_| client.download_original(id, &mut sieve));
            let outcome = read.and_then(|read| {
                let is_right = read.size == size && sieve.hasher.finish() == there.sums;
                if is_right { Ok(sieve.held) } else { Err(Fault::Here(io::ErrorKind::InvalidData)) }
            });
            match &outcome {
                Err(fault @ (Fault::NotFound | Fault::InTrash)) => store.note(&there.file, State::Missing, &reason::of_fault(fault)),
                Err(Fault::Here(io::ErrorKind::InvalidData)) => store.note(&there.file, State::Failed, "differs"),
                _ => {}
            }
            // Nobody may be there any more who reads.
            let _ = sender.send(outcome.map(Some).map_err(Some));
            let _ = sender.send(Err(None));
        };
        thread::Builder::new().name("paperless-read".to_owned()).spawn(work).map_err(|error| Fault::Here(error.kind()))?;
        let mut reader = Reader { pieces, piece: io::Cursor::new(Vec::new()), is_over: false };
        // The first piece shows whether it can be read at all, so that a fault is an answer of its own and not half a file.
        reader.next().map_err(|error| {
            let kind = error.kind();
            error.into_inner().and_then(|inner| inner.downcast::<NotNow>().ok()).map_or(Fault::Here(kind), |fault| fault.0)
        })?;
        Ok(Box::new(reader))
    }
}

/// A piece; at the end `Err(None)`.
type Piece = std::result::Result<Option<Vec<u8>>, Option<Fault>>;

/// Hashes all and passes on what was asked for, always one piece behind.
struct Sieve<'a> {
    to: &'a SyncSender<Piece>,
    span: Span,
    at: u64,
    held: Vec<u8>,
    hasher: Hasher,
}

impl Write for Sieve<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        let end = self.span.from.saturating_add(self.span.length);
        let within = |place: u64| usize::try_from(place.saturating_sub(self.at)).unwrap_or(usize::MAX).min(bytes.len());
        let wanted = bytes.get(within(self.span.from)..within(end)).unwrap_or_default();
        if !wanted.is_empty() {
            let before = std::mem::replace(&mut self.held, wanted.to_vec());
            if !before.is_empty() {
                self.to.send(Ok(Some(before))).map_err(|_| io::ErrorKind::BrokenPipe)?;
            }
        }
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the other thread reads.
struct Reader {
    pieces: Receiver<Piece>,
    piece: io::Cursor<Vec<u8>>,
    is_over: bool,
}

impl Reader {
    fn next(&mut self) -> io::Result<()> {
        match self.pieces.recv() {
            Ok(Ok(piece)) => self.piece = io::Cursor::new(piece.unwrap_or_default()),
            Ok(Err(None)) => self.is_over = true,
            Ok(Err(Some(fault))) => return Err(not_now(fault)),
            Err(_) => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        Ok(())
    }
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(out)?;
            if read > 0 || self.is_over || out.is_empty() {
                return Ok(read);
            }
            self.next()?;
        }
    }
}

impl Storage for Paperless {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&self, _: &BlobName, _: &FileKey) -> io::Result<Box<dyn Incoming>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn open(&self, name: &BlobName, _: &FileKey, size: u64, span: Span) -> io::Result<Box<dyn Read + Send>> {
        self.read(name, size, span).map_err(not_now)
    }

    /// Nothing is taken away there: a document in somebody's Paperless-ngx is theirs.
    fn remove(&self, _: &BlobName) -> io::Result<()> {
        Ok(())
    }

    /// As the last look knows it; nobody is asked.
    fn weigh(&self, name: &BlobName) -> io::Result<Option<u64>> {
        let there = self.find(name).map_err(io::Error::other)?;
        if there.is_none_or(|there| there.document.is_none() || there.state == State::Missing) {
            return Ok(None);
        }
        let size = self.db.read(|conn| {
            let size: Option<Option<i64>> = blobs::table.find(name.as_str()).select(blobs::size).first(conn).optional()?;
            Ok(size.flatten())
        });
        Ok(size.map_err(io::Error::other)?.and_then(|size| u64::try_from(size).ok()))
    }

    fn weight_of(&self, size: u64) -> u64 {
        size
    }

    fn names(&self) -> io::Result<Vec<BlobName>> {
        Ok(Vec::new())
    }
}
