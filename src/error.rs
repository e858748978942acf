//! Everything a request can fail with. The answer's form (a page or an RFC 9457 problem) is chosen by `security`, which knows the path.

use actix_web::{HttpResponse, ResponseError, http::StatusCode};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One failure. Its `Display` goes to the log, so no variant may carry medical content.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 404: there is no such thing, or the person may not know that there is.
    #[error("not found")]
    NotFound,
    /// 403: known, but the share does not go that far.
    #[error("forbidden")]
    Forbidden,
    /// 303 to the sign-in page; a form that was sent is kept and shown again after it.
    #[error("no session")]
    NoSession,
    /// 303 to the page that asks for a proof; a form that was sent is shown again after it.
    #[error("to be proved again")]
    Unproved,
    /// 401, the API only.
    #[error("no valid token")]
    NoToken,
    /// 400: not even readable; the text is a catalogue key.
    #[error("bad request: {0}")]
    BadRequest(&'static str),
    /// 405, the API only: the path is there, with these methods.
    #[error("method not allowed")]
    MethodNotAllowed(&'static str),
    /// 422: readable, but some fields are wrong.
    #[error("invalid fields")]
    Invalid(Vec<(String, crate::records::field::FieldError)>),
    /// 412: somebody else was faster.
    #[error("stale version")]
    Stale { current: i32 },
    /// 409: what it was about is no longer so; the text is a catalogue key.
    #[error("conflict: {0}")]
    Conflict(&'static str),
    /// 428: a change without `If-Match`.
    #[error("If-Match is missing")]
    PreconditionRequired,
    /// 413.
    #[error("body over the limit")]
    TooLarge,
    /// 408: the body did not come.
    #[error("body too slow")]
    TooSlow,
    /// 507: the disk, or what one may use of it, is full.
    #[error("the file store is full")]
    StorageFull,
    /// 503: files cannot be stored now.
    #[error("the file store does not take files")]
    StorageFailed,
    /// 500: what lies on the disk is not what was stored.
    #[error("a stored file is damaged or missing")]
    FileDamaged,
    /// 503: the bytes lie with another program, which does not give them now; the text is a catalogue key.
    #[error("a file lies elsewhere and cannot be read: {0}")]
    Elsewhere(&'static str),
    /// 415.
    #[error("unsupported media type")]
    UnsupportedMedia,
    /// 429, with seconds to wait.
    #[error("throttled for {0} s")]
    Throttled(i64),
    /// 403: an unsafe request that another site caused.
    #[error("cross-site request")]
    CrossSite,
    /// 503: try again.
    #[error("busy")]
    Busy,
    /// 500. Only the kind of the failure is shown: the message may quote a value.
    #[error("database: {}", describe(.0))]
    Database(#[from] diesel::result::Error),
    /// 500.
    #[error("no connection: {0}")]
    Pool(#[from] diesel::r2d2::PoolError),
    /// 500: a bug or a broken installation; the text names the place.
    #[error("internal: {0}")]
    Internal(String),
}

fn describe(error: &diesel::result::Error) -> String {
    match error {
        diesel::result::Error::DatabaseError(kind, info) => {
            // SQLite and PostgreSQL put no row values into these; the constraint is what one needs to find the place.
            format!("{kind:?} {}", info.constraint_name().or(info.table_name()).unwrap_or_default())
        }
        diesel::result::Error::DeserializationError(_) => "a row does not fit its type".to_owned(),
        diesel::result::Error::SerializationError(_) => "a value does not fit its column".to_owned(),
        other => other.to_string(),
    }
}

impl Error {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NoSession | Self::Unproved => StatusCode::SEE_OTHER,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Stale { .. } => StatusCode::PRECONDITION_FAILED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            Self::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Pool(_) | Self::StorageFailed | Self::Elsewhere(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Database(_) | Self::Internal(_) | Self::FileDamaged => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The catalogue key (under `problem.`) of the sentence a person sees.
    pub fn key(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::NoSession => "no_session",
            Self::Unproved => "unproved",
            Self::NoToken => "no_token",
            Self::BadRequest(key) | Self::Conflict(key) | Self::Elsewhere(key) => key,
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::Invalid(_) => "invalid",
            Self::Stale { .. } => "stale",
            Self::PreconditionRequired => "precondition_required",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::StorageFull => "storage_full",
            Self::StorageFailed => "storage_failed",
            Self::FileDamaged => "file_damaged",
            Self::UnsupportedMedia => "unsupported_media",
            Self::Throttled(_) => "throttled",
            Self::CrossSite => "cross_site",
            Self::Busy | Self::Pool(_) => "busy",
            Self::Database(_) | Self::Internal(_) => "internal",
        }
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        // `security::present` replaces the empty body; this is what remains if it does not run.
        HttpResponse::build(self.status()).finish()
    }
}
