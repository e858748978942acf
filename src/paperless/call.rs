//! One request and its answer: waiting within limits, and what statuses and types of content mean before anybody reads a body.

use std::{
    error::Error as _,
    io::{self, Read, Write},
    pin::{Pin, pin},
    sync::mpsc::sync_channel,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::{self, Either};
use http_body::{Body, Frame, SizeHint};
use reqwest::{
    Method, StatusCode, Url,
    header::{ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    time::{timeout, timeout_at},
};

use super::{
    Right, Token,
    fault::{Fault, Field, Instead, Unreachable, Version},
    guard::RefusedNetwork,
    network::Network,
};

/// The one version of the interface that everything from 2.16 to 3.0.5 speaks. Without it 3.x answers in version 10.
pub(super) const VERSION_9: &str = "application/json; version=9";
/// No answer in JSON is longer; contents of documents are never asked for.
const MOST_JSON: usize = 8 * 1024 * 1024;
/// Pieces of a file that wait to be sent.
const PIECES: usize = 4;
const PIECE: usize = 64 * 1024;
/// Nobody is left alone for longer because a server says so.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// A request to be made.
pub(super) struct Call<'a> {
    pub method: Method,
    pub url: Url,
    pub token: Option<&'a Token>,
    pub accept: &'static str,
    pub body: Sent,
    /// What a 403 means.
    pub right: Right,
}

/// What a request carries, but for files.
pub(super) enum Sent {
    Nothing,
    Json(Value),
    Form(String),
}

/// What came back, headers only.
pub(super) struct Head {
    response: reqwest::Response,
    deadline: Instant,
    right: Right,
}

/// A whole answer.
pub(super) struct Answer {
    pub status: StatusCode,
    pub version: Option<Version>,
    /// The highest version of the interface.
    pub api: Option<u32>,
    is_json: bool,
    has_file_name: bool,
    after: Option<Duration>,
    right: Right,
    body: Vec<u8>,
}

impl Network {
    /// Makes a request and reads its answer, whatever it is.
    pub(super) fn ask(&self, call: Call<'_>) -> Result<Answer, Fault> {
        let head = self.begin(call, self.patience.call)?;
        self.read(head, MOST_JSON)
    }

    /// Makes a request; its body is not read yet.
    pub(super) fn begin(&self, call: Call<'_>, within: Duration) -> Result<Head, Fault> {
        let deadline = Instant::now() + within;
        let right = call.right;
        let request = self.request(call)?;
        let limit = within.min(self.patience.connect + self.patience.answer);
        let http = self.http.clone();
        let answer = self.wait(async move { timeout(limit, http.execute(request)).await })?;
        let response = answer.map_err(|_| TOO_LONG)?.map_err(|error| no_answer(&error))?;
        Ok(Head { response, deadline, right })
    }

    fn request(&self, call: Call<'_>) -> Result<reqwest::Request, Fault> {
        let mut request = self.http.request(call.method, call.url).header(ACCEPT, call.accept).header(ACCEPT_LANGUAGE, "en");
        if let Some(token) = call.token {
            request = request.header(AUTHORIZATION, token.header().ok_or(Fault::Token)?);
        }
        request = match call.body {
            Sent::Nothing => request,
            Sent::Json(value) => request.header(CONTENT_TYPE, "application/json").body(value.to_string()),
            Sent::Form(text) => request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(text),
        };
        request.build().map_err(|_| Fault::NotUnderstood)
    }

    /// Sends a body that is read while it is sent. A server may answer before it has all, and is listened to then.
    pub(super) fn send(&self, call: Call<'_>, content_type: &str, size: u64, body: &mut dyn Read) -> Result<Answer, Fault> {
        let deadline = Instant::now() + self.patience.transfer;
        let (sender, pieces) = mpsc::channel(PIECES);
        let right = call.right;
        let mut request = self.request(call)?;
        let content_type = content_type.parse().map_err(|_| Fault::NotUnderstood)?;
        request.headers_mut().insert(CONTENT_TYPE, content_type);
        *request.body_mut() = Some(reqwest::Body::wrap(Pieces { pieces, left: size }));
        let http = self.http.clone();
        let (answered, is_answered) = watch::channel(false);
        let task = self.runtime.spawn(async move {
            let answer = http.execute(request).await;
            answered.send_replace(true);
            answer
        });
        if let Err(fault) = self.feed(&sender, &is_answered, size, body, deadline) {
            task.abort();
            return Err(fault);
        }
        let limit = (Instant::now() + self.patience.connect + self.patience.answer).min(deadline);
        let answer = self.wait(async move { timeout_at(limit.into(), task).await })?;
        let response = answer.map_err(|_| TOO_LONG)?.map_err(|_| BROKEN)?.map_err(|error| no_answer(&error))?;
        let answer = self.read(Head { response, deadline, right }, MOST_JSON);
        // Not before: a body that ends early takes the connection with it, and the answer that came early.
        drop(sender);
        answer
    }

    fn feed(
        &self,
        sender: &mpsc::Sender<Bytes>,
        is_answered: &watch::Receiver<bool>,
        size: u64,
        body: &mut dyn Read,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let mut left = size;
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let read = body.read(piece.get_mut(..most).unwrap_or_default()).map_err(|error| Fault::Here(error.kind()))?;
            if read == 0 {
                return Err(Fault::Here(io::ErrorKind::UnexpectedEof));
            }
            let bytes = Bytes::copy_from_slice(piece.get(..read).unwrap_or_default());
            let limit = (Instant::now() + self.patience.connect + self.patience.pause).min(deadline);
            let (sender, mut is_answered) = (sender.clone(), is_answered.clone());
            let sent = self.wait(async move {
                // The end of the request goes first: a server that has refused a file may go on taking it, or stop.
                let (answered, sent) = (pin!(is_answered.wait_for(|answered| *answered)), pin!(sender.send(bytes)));
                let first = timeout_at(limit.into(), future::select(answered, sent)).await;
                first.map(|first| matches!(first, Either::Right((Ok(()), _))))
            })?;
            match sent {
                Err(_) => return Err(TOO_LONG),
                // Nobody takes more: there is an answer, or no connection.
                Ok(false) => return Ok(()),
                Ok(true) => left -= read as u64,
            }
        }
        Ok(())
    }

    /// Reads the whole answer, if it is not too long.
    pub(super) fn read(&self, mut head: Head, most: usize) -> Result<Answer, Fault> {
        let mut body = Vec::new();
        loop {
            let (rest, piece) = self.piece(head)?;
            head = rest;
            let Some(piece) = piece else { return Ok(head.answer(body)) };
            if body.len() + piece.len() > most {
                return Err(Fault::NotUnderstood);
            }
            body.extend_from_slice(&piece);
        }
    }

    /// Hands a body on as it comes, and tells how long it was.
    pub(super) fn pour(&self, mut head: Head, to: &mut dyn Write) -> Result<u64, Fault> {
        let mut size = 0;
        loop {
            let (rest, piece) = self.piece(head)?;
            head = rest;
            let Some(piece) = piece else { return Ok(size) };
            to.write_all(&piece).map_err(|error| Fault::Here(error.kind()))?;
            size += piece.len() as u64;
        }
    }

    fn piece(&self, mut head: Head) -> Result<(Head, Option<Bytes>), Fault> {
        let limit = (Instant::now() + self.patience.pause).min(head.deadline);
        self.wait(async move {
            let piece = timeout_at(limit.into(), head.response.chunk()).await.map_err(|_| TOO_LONG)?;
            let piece = piece.map_err(|error| if error.is_timeout() { TOO_LONG } else { BROKEN })?;
            Ok((head, piece))
        })?
    }

    /// Lets the thread of connections do it, and sleeps meanwhile; may be called from any thread that may sleep.
    fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, Fault> {
        let (done, answer) = sync_channel(1);
        self.runtime.spawn(async move { done.send(work.await) });
        answer.recv().map_err(|_| BROKEN)
    }
}

const TOO_LONG: Fault = Fault::Unreachable(Unreachable::Timeout);
const BROKEN: Fault = Fault::Unreachable(Unreachable::Broken);

impl Head {
    pub fn is_success(&self) -> bool {
        self.response.status().is_success()
    }

    pub fn content_type(&self) -> &str {
        header(self.response.headers(), CONTENT_TYPE.as_str()).unwrap_or_default()
    }

    /// Does a file come? Paperless-ngx names each that it sends; a page of something before it has no name.
    pub fn is_file(&self) -> bool {
        self.is_success() && (self.response.headers().contains_key(CONTENT_DISPOSITION) || !self.content_type().starts_with("text/html"))
    }

    fn answer(&self, body: Vec<u8>) -> Answer {
        let headers = self.response.headers();
        let after = header(headers, RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok());
        Answer {
            status: self.response.status(),
            version: header(headers, "x-version").and_then(Version::parse),
            api: header(headers, "x-api-version").and_then(|text| text.trim().parse().ok()),
            is_json: self.content_type().starts_with("application/json"),
            has_file_name: headers.contains_key(CONTENT_DISPOSITION),
            after: after.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE)),
            right: self.right,
            body,
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl Answer {
    /// The JSON of a success.
    pub fn json(&self) -> Result<Value, Fault> {
        self.check()?;
        if self.status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        if !self.is_json {
            return Err(Fault::NotPaperless(Instead::Page));
        }
        serde_json::from_slice(&self.body).map_err(|_| Fault::NotUnderstood)
    }

    /// The bytes of a success.
    pub fn file(self) -> Result<Vec<u8>, Fault> {
        self.check()?;
        if self.is_json && !self.has_file_name { Err(Fault::NotUnderstood) } else { Ok(self.body) }
    }

    /// What a status means where a call knows nothing better.
    pub fn check(&self) -> Result<(), Fault> {
        match self.status.as_u16() {
            200..=299 => Ok(()),
            300..=399 => Err(Fault::NotPaperless(Instead::Redirect)),
            401 if self.is_json => Err(Fault::Token),
            403 if self.is_json || self.says_rights_are_missing() => Err(Fault::Right(self.right)),
            404 if self.is_json => Err(Fault::NotFound),
            404 | 405 | 410 => Err(Fault::NotPaperless(Instead::NoSuchPath)),
            406 => Err(Fault::Version(self.version.clone())),
            413 => Err(Fault::TooLarge),
            429 => Err(Fault::Throttled(self.after)),
            status @ 500..=599 => Err(Fault::Server { status, after: self.after }),
            400 if self.is_json => Err(self.refused_field().map_or(Fault::NotUnderstood, Fault::Field)),
            400 | 401 | 403 => Err(Fault::NotPaperless(Instead::Page)),
            _ => Err(Fault::NotUnderstood),
        }
    }

    /// Is it a 400 that says something of the request, not a page of something before the server?
    pub fn is_refusal(&self) -> bool {
        self.status == StatusCode::BAD_REQUEST && self.is_json
    }

    /// Of a refusal: the texts under a key, which are in English for us. Only our own words are ever shown.
    pub fn refusal_says(&self, key: &str, word: &str) -> bool {
        let Ok(answer) = serde_json::from_slice::<Value>(&self.body) else { return false };
        answer.get(key).is_some_and(|texts| texts.to_string().contains(word))
    }

    pub fn refusal_names(&self, key: &str) -> bool {
        self.refusal_says(key, "")
    }

    /// A 403 of a view that is none of the framework's is bare text, or it is the page of the check against forged forms.
    fn says_rights_are_missing(&self) -> bool {
        !self.body.is_empty() && self.body.len() < 200 && !self.body.contains(&b'<')
    }

    fn refused_field(&self) -> Option<Field> {
        let answer: Value = serde_json::from_slice(&self.body).ok()?;
        let named = |(key, field): &(&str, Field)| answer.get(key).is_some().then_some(*field);
        [
            ("title", Field::Title),
            ("created", Field::Created),
            ("correspondent", Field::Correspondent),
            ("document_type", Field::DocumentType),
            ("tags", Field::Tags),
            ("custom_fields", Field::CustomFields),
            ("name", Field::Name),
        ]
        .iter()
        .find_map(named)
    }
}

/// Why there is no answer, as far as the layers below can tell.
fn no_answer(error: &reqwest::Error) -> Fault {
    let mut cause = error.source();
    let mut found = None;
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<RefusedNetwork>() {
            return (*refused).into();
        }
        if let Some(why) = of_tls(inner) {
            found = Some(why);
        }
        cause = inner.source();
    }
    let why = match found {
        Some(why) => why,
        None if error.is_dns() => Unreachable::Name,
        None if error.is_timeout() => Unreachable::Timeout,
        None if error.is_connect() => Unreachable::Refused,
        None => Unreachable::Broken,
    };
    Fault::Unreachable(why)
}

/// An error of TLS travels within one of input and output, which does not tell it as its source.
pub(crate) fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    of_tls(error).is_some()
}

fn of_tls(error: &(dyn std::error::Error + 'static)) -> Option<Unreachable> {
    match error.downcast_ref::<rustls::Error>() {
        // What answers speaks, but no TLS: as a rule a server at an http:// port.
        Some(rustls::Error::InvalidMessage(_)) => Some(Unreachable::NoTls),
        Some(_) => Some(Unreachable::Tls),
        None => error.downcast_ref::<io::Error>().and_then(io::Error::get_ref).and_then(|within| of_tls(within)),
    }
}

/// A body whose pieces come from another thread. If they end early, the request is broken off.
struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    left: u64,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        match self.pieces.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(bytes)) => {
                self.left = self.left.saturating_sub(bytes.len() as u64);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Poll::Ready(None) => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
