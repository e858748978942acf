//! Files on their way in: each part of the form goes to the store as it comes, sealed and summed, never whole in memory.

use actix_multipart::{Field, Multipart};
use actix_web::{HttpRequest, web};
use futures_util::StreamExt;

use super::{NewFile, blobs, clean_name};
use crate::{
    app::App,
    body,
    error::{Error, Result},
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
    /// Bytes of all fields together.
    pub text: usize,
}

/// A form that is there for its files: more than anybody chooses at once.
pub const FILES: Limits = Limits { parts: 200, text: 64 * 1024 };
/// A record's form, which can have files: as much as one without.
pub const RECORD: Limits = Limits { parts: 10_000, text: 2 * 1024 * 1024 };

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

/// A failure is told in the log, and left to the sweep.
async fn give_up(app: &App, name: BlobName) {
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
    let (mut count, mut room) = (0, limits.text);
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
            Some(file_name) if name == "file" => take(app, &mut part, &file_name, received).await?,
            _ => {
                let text = text(&mut part, room).await?;
                room = room.saturating_sub(name.len() + text.len());
                received.fields.push((name, text));
            }
        }
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
    match kinds::of(&kept.arrived.head, &name) {
        Ok(kind) => {
            let name = if name.contains('.') { name } else { with_ending(name, kind) };
            received.files.push(NewFile { blob: kept, name, kind });
        }
        Err(refused) => {
            received.refused.push(refuse(FieldError::Rule(sentence(refused))));
            give_up(app, kept.name).await;
        }
    }
    Ok(())
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

type Writing = (BlobName, Box<dyn Incoming>);

async fn abandon(app: &App, writing: Option<Writing>, error: Error) -> Error {
    if let Some((name, incoming)) = writing {
        drop(incoming);
        give_up(app, name).await;
    }
    error
}

fn write(app: &App, state: Option<Writing>, bytes: &[u8]) -> Result<Writing> {
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

fn finish(app: &App, name: BlobName, incoming: Box<dyn Incoming>) -> Result<blobs::Kept> {
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
