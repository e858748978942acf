//! `/settings/tokens`: API tokens, each shown once, on the answer that made it.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use chrono::{Duration, NaiveDateTime};

use crate::{
    app::App,
    audit::{Action, Event},
    auth::{
        form::{self, Form, Problems},
        proof::Proved,
        session::{Me, Signed},
        token::{self, LONGEST_NAME, NewToken, Token},
        token_text::TokenText,
    },
    body,
    db::{Conn, types::TokenId},
    error::{Error, Result},
    page::{Ui, render, see_other},
    records::{
        field::{Errors, FieldError},
        view::Choice,
    },
};

/// Days a token can last; 0 is no end.
const DAYS: &[(&str, i64)] = &[("30", 30), ("90", 90), ("365", 365), ("0", 0)];
const ACCESS: &[&str] = &["read", "write"];

#[derive(Template)]
#[template(path = "settings/tokens.html")]
struct TokensPage {
    ui: Ui,
    revoked: bool,
    /// Name and text of the token just made.
    made: Option<(String, String)>,
    problems: Problems,
    token_name: String,
    access: Vec<Choice>,
    days: Vec<Choice>,
    rows: Vec<Row>,
}

struct Row {
    id: String,
    name: String,
    may: String,
    until: String,
    used: String,
    state: &'static str,
    state_word: String,
}

fn row(ui: &Ui, token: Token, now: NaiveDateTime) -> Row {
    let state = token.state(now);
    Row {
        may: ui.choice("TokenAccess", if token.may_write { "write" } else { "read" }),
        until: token.expires_at.map_or_else(|| ui.t("settings.no_end"), |at| ui.moment(&at)),
        used: token.last_used_at.map_or_else(|| ui.t("settings.never_used"), |at| ui.moment(&at)),
        state_word: ui.choice("TokenState", state),
        id: token.id.to_string(),
        name: token.name,
        state,
    }
}

impl TokensPage {
    fn load(conn: &mut Conn, me: &Me, form: &Form, now: NaiveDateTime) -> Result<Self> {
        let ui = Ui::new(Some(me.clone()), "/settings/tokens");
        let choice = |set: &str, word: &str, selected| Choice { value: word.to_owned(), label: ui.choice(set, word), selected };
        let (may, days) = (form.text("access"), form.text("days"));
        Ok(Self {
            access: ACCESS.iter().map(|word| choice("TokenAccess", word, may == **word)).collect(),
            days: DAYS
                .iter()
                .map(|(word, _)| choice("TokenDays", word, if days.is_empty() { *word == "90" } else { days == **word }))
                .collect(),
            rows: token::list(conn, &me.id)?.into_iter().map(|token| row(&ui, token, now)).collect(),
            token_name: form.text("name"),
            revoked: false,
            made: None,
            problems: Problems::default(),
            ui,
        })
    }
}

/// `GET /settings/tokens`.
pub async fn list(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let revoked = Form(body::query(&request)).has("revoked");
    let page = app.read(move |conn, app| TokensPage::load(conn, &signed.me, &Form::default(), app.clock.now())).await?;
    render(&TokensPage { revoked, ..page })
}

fn wanted(form: &Form, me: &Me, now: NaiveDateTime) -> Result<NewToken, Errors> {
    let mut errors = Errors::new();
    let mut refuse = |name: &str, error| errors.push((name.to_owned(), error));
    let name = form.text("name");
    let length = name.chars().count();
    if name.is_empty() {
        refuse("name", FieldError::Required);
    } else if length > LONGEST_NAME {
        refuse("name", FieldError::TooLong { max: LONGEST_NAME, is: length });
    } else if name.chars().any(char::is_control) {
        refuse("name", FieldError::ControlCharacters);
    }
    let may = form.text("access");
    if !ACCESS.contains(&may.as_str()) {
        refuse("access", FieldError::UnknownChoice);
    }
    let asked = form.text("days");
    let days = DAYS.iter().find(|(word, _)| *word == asked).map(|(_, days)| *days);
    if days.is_none() {
        refuse("days", FieldError::UnknownChoice);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let expires_at = days.filter(|days| *days > 0).map(|days| now + Duration::days(days));
    Ok(NewToken { user: me.id.clone(), name, may_write: may == "write", expires_at })
}

/// `POST /settings/tokens`. The answer is a page, not a redirect: the text is nowhere else, least of all in an address.
pub async fn create(app: web::Data<App>, signed: Signed, _: Proved, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let now = app.clock.now();
    let me = signed.me.clone();
    let new = match wanted(&form, &me, now) {
        Ok(new) => new,
        Err(errors) => {
            let page = app.read(move |conn, _| TokensPage::load(conn, &me, &form, now)).await?;
            let problems = Problems::new(&page.ui.words, &errors);
            return form::again(StatusCode::UNPROCESSABLE_ENTITY, None, &TokensPage { problems, ..page });
        }
    };
    let text = TokenText::generate().map_err(|error| Error::Internal(error.to_string()))?;
    let made = Some((new.name.clone(), text.as_str().to_owned()));
    let page = app
        .write(move |tx, _| {
            token::create(tx, &new, &text, Event::new(&signed.actor, Action::TokenCreated, now))?;
            TokensPage::load(tx, &me, &Form::default(), now)
        })
        .await?;
    render(&TokensPage { made, ..page })
}

/// `POST /settings/tokens/{token}/revoke`.
pub async fn revoke(app: web::Data<App>, signed: Signed, place: web::Path<String>) -> Result<HttpResponse> {
    let id = TokenId::parse(&place).ok_or(Error::NotFound)?;
    app.write(move |tx, app| token::revoke(tx, &id, Some(&signed.me.id), Event::new(&signed.actor, Action::TokenRevoked, app.clock.now())))
        .await?;
    Ok(see_other("/settings/tokens?revoked=1"))
}
