//! `/settings/providers`: who somebody is at the provider, another one beside, and what happens with an address that both have.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use diesel::prelude::*;

use crate::{
    app::App,
    audit::{Action, Event},
    auth::{
        form::{self, Form, Problems},
        oidc::{
            Door,
            identities::{self, Identity, Preference},
            pages::{errand_of, set_out},
        },
        proof,
        session::Signed,
    },
    body,
    db::{Conn, schema::users},
    error::{Error, Result},
    page::{Ui, render, see_other},
    records::{field::FieldError, view::Choice},
};

const HERE: &str = "/settings/providers";

struct Row {
    id: String,
    label: String,
    /// The provider's host.
    at: String,
    since: String,
    used: String,
    may_go: bool,
}

#[derive(Template)]
#[template(path = "settings/providers.html")]
struct ProvidersPage {
    ui: Ui,
    door: Option<Door>,
    rows: Vec<Row>,
    preferences: Vec<Choice>,
    /// Whoever signed in a while ago gives the password again, if there is one.
    asks_password: bool,
    has_password: bool,
    done: String,
    problems: Problems,
}

const DONE: &[&str] = &["linked", "unlinked", "saved"];

fn load(conn: &mut Conn, app: &App, signed: &Signed, done: &str) -> Result<ProvidersPage> {
    let ui = Ui::new(Some(signed.me.clone()), HERE);
    let mut rows = Vec::new();
    for identity in identities::of(conn, &signed.me.id)? {
        let may_go = identities::is_dispensable(conn, &app.config, &signed.me.id, &identity.id)?;
        rows.push(row(&ui, identity, may_go));
    }
    let now = identities::preference(conn, &signed.me.id)?;
    let password: Option<String> = users::table.find(&signed.me.id).select(users::password_hash).first(conn)?;
    let choice =
        |word: &&str| Choice { value: (*word).to_owned(), label: ui.choice("LinkingPreference", word), selected: *word == now.word() };
    Ok(ProvidersPage {
        preferences: Preference::WORDS.iter().map(choice).collect(),
        door: Door::of(app),
        asks_password: !proof::is_fresh(app, &signed.me),
        has_password: password.is_some(),
        done: DONE.iter().find(|word| **word == done).map(|word| (*word).to_owned()).unwrap_or_default(),
        problems: Problems::default(),
        rows,
        ui,
    })
}

fn row(ui: &Ui, identity: Identity, may_go: bool) -> Row {
    let host = url::Url::parse(&identity.issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
    Row {
        at: host.unwrap_or_default(),
        since: ui.moment(&identity.created_at),
        used: identity.last_used_at.map(|at| ui.moment(&at)).unwrap_or_default(),
        label: identity.label,
        id: identity.id,
        may_go,
    }
}

/// `GET /settings/providers`.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let done = Form(body::query(&request)).text("done");
    render(&app.read(move |conn, app| load(conn, app, &signed, &done)).await?)
}

/// A session that was left open must not be enough to open the account for somebody else, or to close it.
async fn proved(app: &App, signed: &Signed, form: &Form) -> Result<()> {
    if proof::is_fresh(app, &signed.me) {
        return Ok(());
    }
    let (actor, given) = (signed.actor.clone(), form.raw(proof::FIELD).to_owned());
    app.run(move |app| {
        let user = actor.user.clone();
        let has_password =
            app.db.read(|conn| Ok(users::table.find(&user).select(users::password_hash).first::<Option<String>>(conn)?))?.is_some();
        if has_password {
            return proof::password(app, &actor, &given).map(drop);
        }
        Err(Error::Invalid(vec![(proof::FIELD.to_owned(), FieldError::Rule("error.sign_in_again"))]))
    })
    .await
}

async fn again(app: &App, signed: Signed, error: Error) -> Result<HttpResponse> {
    let page = app.read(move |conn, app| load(conn, app, &signed, "")).await?;
    let (status, problems) = form::shown(&page.ui.words, error)?;
    form::again(status, problems.wait, &ProvidersPage { problems, ..page })
}

/// `POST /settings/providers/connect`: to the provider, to come back with another identity.
pub async fn connect(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let provider = app.provider.clone().ok_or(Error::NotFound)?;
    let form = Form::read(&request, payload).await?;
    if let Err(error) = proved(&app, &signed, &form).await {
        return again(&app, signed, error).await;
    }
    set_out(&app, &request, &provider, errand_of(&signed), Some(signed.me)).await
}

/// `POST /settings/providers/unlink`: not the last way in.
pub async fn unlink(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let id = form.text("identity");
    let (user, wanted) = (signed.me.id.clone(), id.clone());
    app.read(move |conn, _| {
        let is_own = identities::of(conn, &user)?.iter().any(|identity| identity.id == wanted);
        if is_own { Ok(()) } else { Err(Error::NotFound) }
    })
    .await?;
    if let Err(error) = proved(&app, &signed, &form).await {
        return again(&app, signed, error).await;
    }
    app.write(move |tx, app| {
        let event = Event::new(&signed.actor, Action::IdentityUnlinked, app.clock.now());
        identities::remove(tx, &app.config, &signed.me.id, &id, event)
    })
    .await?;
    Ok(see_other("/settings/providers?done=unlinked"))
}

/// `POST /settings/providers/preference`.
pub async fn prefer(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let Some(preference) = Preference::parse(form.raw("sso_linking_preference")) else {
        let page = app.read(move |conn, app| load(conn, app, &signed, "")).await?;
        let problems = Problems::new(&page.ui.words, &[("sso_linking_preference".to_owned(), FieldError::UnknownChoice)]);
        return form::again(StatusCode::UNPROCESSABLE_ENTITY, None, &ProvidersPage { problems, ..page });
    };
    app.write(move |tx, app| {
        let event = Event::new(&signed.actor, Action::AccountChanged, app.clock.now());
        identities::prefer(tx, &signed.me.id, preference, event)
    })
    .await?;
    Ok(see_other("/settings/providers?done=saved"))
}
