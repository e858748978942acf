//! The forms around accounts: their values, and what is wrong with them, a sentence a field.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use askama::Template;

use crate::{
    body,
    error::{Error, Result},
    i18n::Locale,
    page::render_with,
    records::field::FieldError,
};

/// What was sent.
#[derive(Clone, Debug, Default)]
pub struct Form(pub Vec<(String, String)>);

impl Form {
    pub async fn read(request: &HttpRequest, payload: web::Payload) -> Result<Self> {
        body::form(request, payload).await.map(Self)
    }
    /// The value as it was sent; a field that is missing is empty.
    pub fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str())
    }
    /// Without blanks around it.
    pub fn text(&self, name: &str) -> String {
        self.raw(name).trim().to_owned()
    }
    pub fn has(&self, name: &str) -> bool {
        !self.raw(name).is_empty()
    }
}

/// What is wrong with a form, for its template.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    lines: Vec<(String, String)>,
    /// What is wrong with no field in particular.
    pub notice: String,
    pub wait: Option<i64>,
}

impl Problems {
    pub fn of(&self, name: &str) -> &str {
        self.lines.iter().find(|(n, _)| n == name).map_or("", |(_, text)| text.as_str())
    }
    /// The fields' ids and sentences, for the summary.
    pub fn lines(&self) -> Vec<(String, String)> {
        self.lines_at("f")
    }
    /// The same for one of several forms of a page, whose fields' ids begin with this.
    pub fn lines_at(&self, prefix: &str) -> Vec<(String, String)> {
        self.lines.iter().map(|(name, text)| (format!("{prefix}-{name}"), text.clone())).collect()
    }
    /// The sentences alone, for a terminal.
    pub fn sentences(&self) -> Vec<String> {
        self.lines.iter().map(|(name, text)| format!("{name}: {text}")).collect()
    }
    /// A field with two errors (easy to guess, and why) has one sentence of both.
    pub fn new(words: &Locale, errors: &[(String, FieldError)]) -> Self {
        let mut problems = Self::default();
        for (name, error) in errors {
            let (key, values) = error.message();
            let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let text = words.with(key, &values);
            match problems.lines.iter_mut().find(|(n, _)| n == name) {
                Some((_, told)) => *told = format!("{told} {text}"),
                None => problems.lines.push((name.clone(), text)),
            }
        }
        problems
    }
}

/// Errors a form shows itself, so that what was typed is not lost; every other error goes its way.
pub fn shown(words: &Locale, error: Error) -> Result<(StatusCode, Problems)> {
    let status = error.status();
    let problems = match &error {
        Error::Invalid(errors) => Problems::new(words, errors),
        Error::Throttled(seconds) => {
            Problems { notice: words.n("login.wait", minutes(*seconds)), wait: Some(*seconds), ..Problems::default() }
        }
        Error::Busy => Problems { notice: words.t("login.busy"), wait: Some(5), ..Problems::default() },
        _ => return Err(error),
    };
    Ok((status, problems))
}

/// Whole minutes, rounded up: who waits as long as told gets in.
fn minutes(seconds: i64) -> i64 {
    (seconds.max(1) + 59) / 60
}

/// The form again, with what is wrong.
pub fn again(status: StatusCode, wait: Option<i64>, page: &impl Template) -> Result<HttpResponse> {
    let mut response = render_with(status, page)?;
    if let Some(seconds) = wait.and_then(|s| header::HeaderValue::from_str(&s.to_string()).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    Ok(response)
}
