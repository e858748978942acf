//! Files on their way in: each part of the form goes to the store as it comes, sealed and summed, never whole in memory.

use std::cmp::Ordering;

use actix_multipart::{Field, Multipart};
use actix_web::{HttpRequest, web};
use futures_util::StreamExt;

use super::{Details, NewFile, blobs, clean_name};
use crate::{
    app::App,
    body,
    db::{Tx, types::FileId},
    error::{Error, Result},
    page::Ui,
    records::field::{Errors, FieldError},
    storage::{
        BlobName, Incoming,
        kinds::{self, Refused},
    },
};

/// What is handed to the store at once.
const BATCH: usize = 512 * 1024;
/// How much a form may hold beside its files.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Fields and files.
    pub parts: usize,
    /// Of those, files: what is more is read and not kept.
    pub files: usize,
    /// Bytes of all fields together.
    pub text: usize,
}

/// A form that is there for its files: more than anybody chooses at once.
pub const FILES: Limits = Limits { parts: MOST_FILES, files: MOST_FILES, text: 64 * 1024 };
/// A record's form, which can have files: as much as one without, and as many files as a form that is there for them.
pub const RECORD: Limits = Limits { parts: 10_000, files: MOST_FILES, text: 2 * 1024 * 1024 };
/// Files of one form.
pub const MOST_FILES: usize = 200;

/// A form with files, all of them stored and none of them anybody's yet.
#[derive(Debug, Default)]
pub struct Received {
    pub fields: Vec<(String, String)>,
    pub files: Vec<NewFile>,
    /// What was not taken, by the file's name.
    pub refused: Vec<(String, FieldError)>,
}

impl Received {
    pub fn field(&self, name: &str) -> String {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    }

    /// What was refused, as errors of the field `file`.
    pub fn errors(&self) -> Errors {
        self.refused.iter().map(|(_, error)| ("file".to_owned(), error.clone())).collect()
    }

    /// Gives the bytes up that nothing was made of.
    pub async fn give_up(self, app: &App) {
        for file in self.files {
            give_up(app, file.blob.name).await;
        }
    }
}

/// What became of an upload, one file after the other.
#[derive(Debug, Default)]
pub struct Adding {
    /// With their SHA-256.
    pub added: Vec<(FileId, String)>,
    refused: Vec<(String, FieldError)>,
    left: Vec<BlobName>,
}

impl Adding {
    /// What finds no room is refused, and the others are kept; anything else that is wrong is wrong for all of them.
    pub fn note(&mut self, file: &NewFile, outcome: Result<FileId>) -> Result<()> {
        match outcome {
            Ok(id) => self.added.push((id, file.blob.arrived.sums.sha256.clone())),
            Err(Error::Invalid(errors)) if errors.iter().all(|(name, _)| name == "file") => {
                self.refused.extend(errors.into_iter().map(|(_, error)| (file.name.clone(), error)));
                self.left.push(file.blob.name.clone());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Where a page goes after an upload.
pub enum Outcome {
    /// To this address.
    All(String),
    /// Nowhere: the page says what was not taken.
    NotAll(NotAll),
}

/// What was not taken, by name; how many were, and where it is asked about those.
pub struct NotAll {
    pub refused: Vec<(String, FieldError)>,
    pub kept: usize,
    pub question: Option<String>,
}

/// The same as a page tells it.
#[derive(Default)]
pub struct Left {
    pub lines: Vec<(String, String)>,
    pub kept: String,
    pub question: Option<String>,
    /// The trash, where it is what takes the room.
    pub trash: Option<String>,
}

impl NotAll {
    pub fn told(self, ui: &Ui, trash: String) -> Left {
        let kept = i64::try_from(self.kept).unwrap_or(i64::MAX);
        Left {
            kept: if kept > 0 { ui.n("file.kept", &kept) } else { String::new() },
            trash: is_full(&self.refused).then_some(trash),
            lines: self.refused.into_iter().map(|(name, error)| (name, ui.error(&error))).collect(),
            question: self.question,
        }
    }
}

/// Is there something for which there was no room?
pub fn is_full(refused: &[(String, FieldError)]) -> bool {
    refused.iter().any(|(_, error)| matches!(error, FieldError::OverQuota { .. }))
}

/// Makes something of what was received, in one transaction; if that comes to nothing, or `checked` says that it cannot, the bytes are given up.
pub async fn make_of<T: Send + 'static, R: Send + 'static>(
    app: &App,
    received: Received,
    checked: Result<T>,
    mut work: impl FnMut(&mut Tx<'_>, &App, &T) -> Result<R> + Send + 'static,
) -> Result<R> {
    let made = match checked {
        Ok(checked) => app.write(move |tx, app| work(tx, app, &checked)).await,
        Err(error) => Err(error),
    };
    if made.is_err() {
        received.give_up(app).await;
    }
    made
}

/// Makes what was received somebody's: `work` does it in one transaction and tells where to go. What nothing was made of is given up.
pub async fn add_received(
    app: &App,
    received: Received,
    details: Result<Details, Errors>,
    work: impl FnMut(&mut Tx<'_>, &App, &Details) -> Result<(Adding, String)> + Send + 'static,
) -> Result<Outcome> {
    let (mut refused, has_none) = (received.refused.clone(), received.files.is_empty());
    match make_of(app, received, details.map_err(Error::Invalid), work).await {
        Ok((adding, next)) => {
            let kept = adding.added.len();
            for name in adding.left {
                give_up(app, name).await;
            }
            refused.extend(adding.refused);
            if has_none && refused.is_empty() {
                refused.push((String::new(), FieldError::Rule("error.no_file_chosen")));
            }
            let question = next.starts_with("/twins?").then(|| next.clone());
            Ok(if refused.is_empty() { Outcome::All(next) } else { Outcome::NotAll(NotAll { refused, kept, question }) })
        }
        Err(Error::Invalid(errors)) => {
            refused.extend(errors);
            Ok(Outcome::NotAll(NotAll { refused, kept: 0, question: None }))
        }
        Err(error) => Err(error),
    }
}

/// A failure is told in the log, and left to the sweep.
pub async fn give_up(app: &App, name: BlobName) {
    let done = app.run(move |app| {
        blobs::give_up(app, app.storage.as_ref(), &name);
        Ok(())
    });
    drop(done.await);
}

/// A record's form, with files or without.
pub async fn form(app: &App, request: &HttpRequest, payload: web::Payload) -> Result<Received> {
    if body::has_parts(request) {
        return receive(app, body::parts(request, payload)?, RECORD).await;
    }
    Ok(Received { fields: body::form(request, payload).await?, ..Received::default() })
}

/// Reads the whole form. Whatever breaks it off leaves no file behind.
pub async fn receive(app: &App, parts: Multipart, limits: Limits) -> Result<Received> {
    let mut received = Received::default();
    match read(app, parts, limits, &mut received).await {
        Ok(()) => Ok(received),
        Err(error) => {
            received.give_up(app).await;
            Err(error)
        }
    }
}

async fn read(app: &App, mut parts: Multipart, limits: Limits, received: &mut Received) -> Result<()> {
    let (mut count, mut files, mut room) = (0, 0, limits.text);
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|_| Error::BadRequest("broken_form"))?;
        count += 1;
        if count > limits.parts {
            return Err(Error::TooLarge);
        }
        let name = part.name().unwrap_or_default().to_owned();
        let file_name = part.content_disposition().and_then(|d| d.get_filename()).map(str::to_owned);
        match file_name {
            // A form without a chosen file sends a part without a name and without bytes.
            Some(file_name) if name == "file" => {
                files += 1;
                match files.cmp(&(limits.files + 1)) {
                    Ordering::Less => take(app, &mut part, &file_name, received).await?,
                    Ordering::Equal => {
                        received.refused.push((String::new(), FieldError::Rule("error.too_many_files")));
                        pass_over(&mut part).await?;
                    }
                    Ordering::Greater => pass_over(&mut part).await?,
                }
            }
            _ => {
                let text = text(&mut part, room).await?;
                room = room.saturating_sub(name.len() + text.len());
                received.fields.push((name, text));
            }
        }
    }
    Ok(())
}

/// Reads a part to its end and keeps nothing of it, so that what follows is not lost.
async fn pass_over(part: &mut Field) -> Result<()> {
    while let Some(chunk) = part.next().await {
        chunk.map_err(|_| Error::BadRequest("broken_form"))?;
    }
    Ok(())
}

/// A field of the form, if it is no larger than this.
pub async fn text(part: &mut Field, most: usize) -> Result<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.next().await {
        let chunk = chunk.map_err(|_| Error::BadRequest("broken_form"))?;
        if bytes.len() + chunk.len() > most {
            return Err(Error::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| Error::BadRequest("not_text"))
}

/// What came of reading a part to its end.
enum Taken {
    Nothing,
    TooLarge,
    Stored(blobs::Kept),
}

async fn take(app: &App, part: &mut Field, file_name: &str, received: &mut Received) -> Result<()> {
    let name = clean_name(file_name);
    let refuse = |error: FieldError| (name.clone(), error);
    let kept = match store(app, part).await? {
        Taken::Nothing if file_name.is_empty() => return Ok(()),
        Taken::Nothing => {
            received.refused.push(refuse(FieldError::Rule("error.file_empty")));
            return Ok(());
        }
        Taken::TooLarge => {
            received.refused.push(refuse(FieldError::Rule("error.file_too_large")));
            return Ok(());
        }
        Taken::Stored(kept) => kept,
    };
    match told(&kept.arrived.head, &name) {
        Ok((name, kind)) => received.files.push(NewFile { blob: kept, name, kind }),
        Err(error) => {
            received.refused.push(refuse(error));
            give_up(app, kept.name).await;
        }
    }
    Ok(())
}

/// What the bytes are that begin so, and the name it is kept under; or why they are not taken.
pub(super) fn told(head: &[u8], name: &str) -> Result<(String, &'static kinds::FileKind), FieldError> {
    let kind = kinds::of(head, name).map_err(|refused| FieldError::Rule(sentence(refused)))?;
    Ok((if name.contains('.') { name.to_owned() } else { with_ending(name.to_owned(), kind) }, kind))
}

fn with_ending(name: String, kind: &kinds::FileKind) -> String {
    kind.endings.first().map_or(name.clone(), |ending| format!("{name}.{ending}"))
}

fn sentence(refused: Refused) -> &'static str {
    match refused {
        Refused::Empty => "error.file_empty",
        Refused::NotSupported => "error.file_not_supported",
        Refused::Contradiction => "error.file_contradiction",
    }
}

/// Reads the part to its end, so that the browser comes to the answer, and stores it unless it is too large.
async fn store(app: &App, part: &mut Field) -> Result<Taken> {
    let mut batch: Vec<u8> = Vec::new();
    let mut writing: Option<(BlobName, Box<dyn Incoming>)> = None;
    let (mut size, mut too_large) = (0_u64, false);
    loop {
        let chunk = part.next().await;
        let is_end = chunk.is_none();
        if let Some(chunk) = chunk {
            let broken = chunk.map_err(|_| Error::BadRequest("broken_form"));
            let chunk = match broken {
                Ok(chunk) => chunk,
                Err(error) => return Err(abandon(app, writing, error).await),
            };
            size += chunk.len() as u64;
            too_large |= size > app.config.max_upload;
            if !too_large {
                batch.extend_from_slice(&chunk);
            }
        }
        if too_large {
            // Nothing of it is kept, the rest is read and let go.
            batch = Vec::new();
            if let Some((name, incoming)) = writing.take() {
                drop(incoming);
                give_up(app, name).await;
            }
        } else if batch.len() >= BATCH || (is_end && !batch.is_empty()) {
            let (state, now) = (writing.take(), std::mem::take(&mut batch));
            writing = Some(app.run(move |app| write(app, state, &now)).await?);
        }
        if is_end {
            break;
        }
    }
    match writing {
        None if too_large => Ok(Taken::TooLarge),
        None => Ok(Taken::Nothing),
        Some((name, incoming)) => app.run(move |app| finish(app, name, incoming)).await.map(Taken::Stored),
    }
}

pub(super) type Writing = (BlobName, Box<dyn Incoming>);

async fn abandon(app: &App, writing: Option<Writing>, error: Error) -> Error {
    if let Some((name, incoming)) = writing {
        drop(incoming);
        give_up(app, name).await;
    }
    error
}

pub(super) fn write(app: &App, state: Option<Writing>, bytes: &[u8]) -> Result<Writing> {
    let (name, mut incoming) = if let Some(state) = state {
        state
    } else {
        let (name, key) = blobs::expect(app, app.storage.as_ref())?;
        let begun = app.storage.begin(&name, &key).map_err(|error| failed(app, &name, &error))?;
        (name, begun)
    };
    match incoming.write(bytes) {
        Ok(()) => Ok((name, incoming)),
        Err(error) => {
            drop(incoming);
            Err(failed(app, &name, &error))
        }
    }
}

pub(super) fn finish(app: &App, name: BlobName, incoming: Box<dyn Incoming>) -> Result<blobs::Kept> {
    match incoming.finish() {
        Ok(arrived) => Ok(blobs::Kept { name, arrived }),
        Err(error) => Err(failed(app, &name, &error)),
    }
}

/// The store does not take it: a disk that is full or read only is told as what it is.
fn failed(app: &App, name: &BlobName, error: &std::io::Error) -> Error {
    blobs::give_up(app, app.storage.as_ref(), name);
    log::error!("the file store does not take a file: {}", error.kind());
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Error::StorageFull,
        _ => Error::StorageFailed,
    }
}
