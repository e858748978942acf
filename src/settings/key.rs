//! `/settings/key`: the installation's key for administrators, to print it, and to say that a copy is kept.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use crate::{
    app::App,
    audit::{Action, Event},
    auth::{
        form::{self, Form, Problems},
        proof,
        session::Signed,
    },
    body,
    error::{Error, Result},
    installation,
    page::{Ui, render, render_with, see_other},
    records::field::FieldError,
};

/// How much of the printed key is asked for, from its end.
const ASKED: usize = 6;

#[derive(Template)]
#[template(path = "settings/key.html")]
struct KeyPage {
    ui: Ui,
    /// The key in groups of four, shown to who proved a moment ago who they are.
    key: Option<Vec<String>>,
    /// Somebody proved with its last characters that they keep a copy.
    is_kept: bool,
    address: String,
    made_by_setting: bool,
    problems: Problems,
}

impl KeyPage {
    fn new(app: &App, signed: Signed, here: &str, shown: bool) -> Self {
        let text = app.key.to_text();
        let groups = || text.chars().collect::<Vec<_>>().chunks(4).map(|four| four.iter().collect()).collect();
        Self {
            is_kept: !signed.me.key_is_unkept,
            ui: Ui::new(Some(signed.me), here),
            key: shown.then(groups),
            address: app.config.public_url.to_string(),
            made_by_setting: app.config.secret_key.is_some(),
            problems: Problems::default(),
        }
    }
}

fn administrator(signed: &Signed) -> Result<()> {
    if signed.me.is_admin() { Ok(()) } else { Err(Error::Forbidden) }
}

fn note_shown(app: &App, signed: &Signed) -> Result<()> {
    let now = app.clock.now();
    app.db.write(|tx| Ok(Event::new(&signed.actor, Action::KeyShown, now).write(tx)?))
}

/// `GET /settings/key`; `?show=1` shows the key to who proved a moment ago who they are, such as at the setup. Anybody else does so first.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    administrator(&signed)?;
    let asked = Form(body::query(&request)).has("show");
    let shown = asked && proof::is_fresh(&app, &signed.me);
    if asked && !shown {
        return Err(Error::Unproved);
    }
    if shown {
        let signed = signed.clone();
        app.run(move |app| note_shown(app, &signed)).await?;
    }
    render(&KeyPage::new(&app, signed, request.path(), shown))
}

/// `POST /settings/key/kept`: a copy is kept, which its last characters prove.
pub async fn keep(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    administrator(&signed)?;
    let form = Form::read(&request, payload).await?;
    let given: String = form.raw("key_end").chars().filter(|c| !c.is_whitespace()).collect();
    let text = app.key.to_text();
    let end: String = text.chars().skip(text.chars().count().saturating_sub(ASKED)).collect();
    // With or without the padding at the end, which people leave out.
    let short: String = text.trim_end_matches('=').chars().rev().take(ASKED).collect::<Vec<_>>().into_iter().rev().collect();
    if given != end && given != short {
        let page = KeyPage::new(&app, signed, "/settings/key", false);
        let wrong = Error::Invalid(vec![("key_end".to_owned(), FieldError::Rule("error.key_end"))]);
        let (_, problems) = form::shown(&page.ui.words, wrong)?;
        return render_with(StatusCode::UNPROCESSABLE_ENTITY, &KeyPage { problems, ..page });
    }
    let kept = app.key.check_value();
    app.run(move |app| {
        let now = app.clock.now();
        app.db.write(|tx| {
            installation::put(tx, installation::KEY_KEPT, &kept)?;
            Ok(Event::new(&signed.actor, Action::KeyKept, now).write(tx)?)
        })
    })
    .await?;
    Ok(see_other("/settings/key"))
}
