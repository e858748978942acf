//! What came back, with the questions tests ask of it. Each answers with itself, so that they chain, and fails at the caller's line.

use actix_web::{
    Error,
    body::{MessageBody, to_bytes},
    dev::ServiceResponse,
    http::header::HeaderMap,
};

use super::html::{self, Node};

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    /// The same as it came.
    pub bytes: Vec<u8>,
    pub path: String,
}

impl Answer {
    pub async fn read(result: Result<ServiceResponse<impl MessageBody>, Error>) -> Self {
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                // A layer refused before there was an answer; the server would send this.
                let status = error.as_response_error().status_code().as_u16();
                return Self { status, headers: HeaderMap::new(), body: error.to_string(), bytes: Vec::new(), path: String::new() };
            }
        };
        let path = response.request().uri().to_string();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let Ok(body) = to_bytes(response.into_body()).await else { panic!("the body of {path} broke off") };
        Self { status, headers, body: String::from_utf8_lossy(&body).into_owned(), bytes: body.to_vec(), path }
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.path, self.gist());
        self
    }

    /// 303, and where to.
    #[track_caller]
    pub fn location(&self) -> String {
        assert_eq!(self.status, 303, "{}: {}", self.path, self.gist());
        self.header("location").unwrap_or_default()
    }

    /// The id at the end of where a saved form leads.
    #[track_caller]
    pub fn new_id(&self) -> String {
        self.location().rsplit('/').next().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned)
    }

    #[track_caller]
    pub fn has(self, text: &str) -> Self {
        assert!(self.body.contains(text), "{} has no {text:?}: {}", self.path, self.gist());
        self
    }

    #[track_caller]
    pub fn lacks(self, text: &str) -> Self {
        let place = self.body.find(text);
        if let Some(place) = place {
            let from = (0..=place.saturating_sub(200)).rev().find(|i| self.body.is_char_boundary(*i)).unwrap_or(0);
            let around: String = self.body[from..].chars().take(400).collect();
            panic!("{} has {text:?}: …{around}…", self.path);
        }
        self
    }

    /// Every word of the page, entities decoded, white space as one blank.
    pub fn text(&self) -> String {
        html::text(&self.body)
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let all = self.text();
        assert!(all.contains(text), "{} does not say {text:?}: {all}", self.path);
        self
    }

    pub fn nodes(&self) -> Vec<Node> {
        html::nodes(&self.body)
    }

    /// What a browser would send from the form whose action is this, unchanged.
    #[track_caller]
    pub fn form(&self, action: &str) -> html::Form {
        html::Form::find(&self.body, action).unwrap_or_else(|| panic!("{} has no form to {action}: {}", self.path, self.gist()))
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{} is no JSON ({error}): {}", self.path, self.gist()))
    }

    /// Enough of the page to see what happened.
    fn gist(&self) -> String {
        let text = if self.body.starts_with('<') { self.text() } else { self.body.clone() };
        text.chars().take(700).collect()
    }
}

/// The body part by part; `false` if it broke off.
pub async fn in_parts(result: Result<ServiceResponse<impl MessageBody>, Error>, on_part: &dyn Fn(usize)) -> (String, bool) {
    let mut body = Box::pin(result.unwrap().into_body());
    let (mut text, mut parts) = (String::new(), 0);
    while let Some(part) = std::future::poll_fn(|context| body.as_mut().poll_next(context)).await {
        let Ok(part) = part else { return (text, false) };
        text.push_str(&String::from_utf8_lossy(&part));
        parts += 1;
        on_part(parts);
    }
    (text, true)
}
