//! `/settings/paperless`: one's own connection, what goes there, what waits, and its end.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use diesel::prelude::*;

use super::{
    connection::{self, Connection, Place},
    copies::{self, Copy, State},
    reason,
};
use crate::{
    access::{self, Rank},
    app::App,
    auth::{
        form::{self, Form, Problems},
        session::Signed,
        throttle::Knock,
    },
    body,
    db::{
        Conn,
        schema::{files as file_rows, paperless_copies as rows},
        types::{PatientId, UserId},
    },
    error::{Error, Result},
    files,
    page::{Ui, render, see_other},
    paperless::{Address, Client, Fault, Server, Token, Unreachable},
};

const HERE: &str = "/settings/paperless";
/// So many that wait are named; the others are counted.
const MOST_NAMED: i64 = 50;

#[derive(Template)]
#[template(path = "settings/paperless.html")]
struct SettingsPage {
    ui: Ui,
    /// What was done.
    done: String,
    /// What is wrong with what was sent, or with the connection that was tested.
    wrong: String,
    /// The test went well; and the rights that are missing.
    tested: Option<Vec<String>>,
    address: String,
    username: String,
    connected: Option<Connected>,
}

#[expect(clippy::struct_excessive_bools, reason = "what a template asks")]
struct Connected {
    address: String,
    about: String,
    /// What keeps everything waiting, since when, and when it is tried again.
    fault: Option<(String, String)>,
    to_paperless: bool,
    keep_local: bool,
    sync_tags: bool,
    leaving: bool,
    only_there: i64,
    synced: i64,
    waiting: i64,
    stuck: i64,
    lines: Vec<Line>,
    /// People and how many of their documents could be sent.
    to_send: Vec<(String, String, i64)>,
    all_to_send: i64,
}

struct Line {
    href: String,
    name: String,
    state: &'static str,
    state_word: String,
    why: String,
}

impl SettingsPage {
    fn load(conn: &mut Conn, app: &App, signed: &Signed) -> Result<Self> {
        let ui = Ui::new(Some(signed.me.clone()), HERE);
        let connected = connection::of(conn, &signed.me.id)?.map(|own| Connected::load(conn, app, signed, &ui, &own)).transpose()?;
        Ok(Self {
            done: String::new(),
            wrong: String::new(),
            tested: None,
            address: connected.as_ref().map(|own| own.address.clone()).unwrap_or_default(),
            username: String::new(),
            connected,
            ui,
        })
    }
}

impl Connected {
    fn load(conn: &mut Conn, app: &App, signed: &Signed, ui: &Ui, own: &Connection) -> Result<Self> {
        let count = |conn: &mut Conn, states: &[State]| -> Result<i64> {
            Ok(rows::table.filter(rows::user_id.eq(&own.user_id)).filter(rows::state.eq_any(states)).count().get_result(conn)?)
        };
        let version = own.server_version.clone().unwrap_or_default();
        let account = own.account.as_ref().map(|name| ui.t1("paperless.account", "name", name));
        let about = [Some(ui.t1("paperless.version", "version", version.as_str())).filter(|_| !version.is_empty()), account];
        let since = own.fault_at.map(|at| ui.moment(&at)).unwrap_or_default();
        let to_send = to_send(conn, app, signed)?;
        Ok(Self {
            address: own.address.clone(),
            about: about.into_iter().flatten().collect::<Vec<_>>().join(" · "),
            fault: own.fault.as_ref().map(|why| (reason::sentence(&ui.words, why), since)),
            to_paperless: own.default_store == Place::Paperless,
            keep_local: own.keep_local,
            sync_tags: own.sync_tags,
            leaving: own.leaving,
            only_there: copies::only_there(conn, &own.user_id)?,
            synced: count(conn, &[State::Synced])?,
            waiting: count(conn, &[State::Pending, State::Processing])?,
            stuck: count(conn, &[State::Failed, State::Missing])?,
            lines: lines(conn, app, signed, ui)?,
            all_to_send: to_send.iter().map(|(_, _, count)| count).sum(),
            to_send,
        })
    }
}

/// What is not well yet, of the documents that this person still sees.
fn lines(conn: &mut Conn, app: &App, signed: &Signed, ui: &Ui) -> Result<Vec<Line>> {
    let found: Vec<(Copy, Option<PatientId>)> = rows::table
        .inner_join(file_rows::table.on(file_rows::id.eq(rows::file_id)))
        .filter(rows::user_id.eq(&signed.me.id))
        .filter(rows::state.ne(State::Synced).or(rows::reason.is_not_null()))
        .order((rows::updated_at.desc(), rows::file_id))
        .limit(MOST_NAMED)
        .select((Copy::as_select(), file_rows::patient_id))
        .load::<(Copy, Option<PatientId>)>(conn)?;
    let people = access::all(conn, &signed.actor, app.clock.now())?;
    let mut lines = Vec::new();
    for (copy, patient) in found {
        let Some(access) = patient.as_ref().and_then(|id| people.of(id)) else { continue };
        let Ok((file, _)) = files::living(conn, access, &copy.file_id) else { continue };
        lines.push(Line {
            href: format!("/patients/{}/files/{}", access.id(), file.id),
            name: file.description.unwrap_or(file.file_name),
            state: copy.state.as_str(),
            state_word: ui.choice("PaperlessState", copy.state.as_str()),
            why: copy.reason.map(|why| reason::sentence(&ui.words, &why)).unwrap_or_default(),
        });
    }
    Ok(lines)
}

/// How many documents of whom could be sent: of people whom this person may write for.
fn to_send(conn: &mut Conn, app: &App, signed: &Signed) -> Result<Vec<(String, String, i64)>> {
    let mut counts = Vec::new();
    for access in access::all(conn, &signed.actor, app.clock.now())?.list {
        if access.may(Rank::Edit) {
            let count = copies::to_send(conn, &access)?.len();
            counts.push((access.id().to_string(), access.patient.name(), i64::try_from(count).unwrap_or(i64::MAX)));
        }
    }
    counts.retain(|(_, _, count)| *count > 0);
    Ok(counts)
}

/// What a page can be told that was done.
const DONE: &[&str] = &["connected", "chosen", "retried", "sent", "ended", "leaving"];

/// `GET /settings/paperless`.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let done = Form(body::query(&request)).text("done");
    let page = app.read(move |conn, app| SettingsPage::load(conn, app, &signed)).await?;
    let done = if DONE.contains(&done.as_str()) { page.ui.t2("paperless.done", &done) } else { String::new() };
    render(&SettingsPage { done, ..page })
}

/// What somebody typed, without the secrets: those are not shown again.
struct Wanted {
    address: String,
    token: String,
    username: String,
    password: String,
    code: String,
}

impl Wanted {
    fn read(form: &Form) -> Self {
        Self {
            address: form.text("address"),
            token: form.text("token"),
            username: form.text("username"),
            password: form.raw("password").to_owned(),
            code: form.text("code"),
        }
    }

    /// A token, given or exchanged for name and password, and what the server says to it. The password is forgotten with this value.
    fn try_it(&self, app: &App) -> Result<(Address, Token, Server), Fault> {
        let address = Address::parse(&self.address)?;
        let network = app.paperless.network()?;
        let token = if self.token.is_empty() {
            if self.username.is_empty() {
                return Err(Fault::SignIn);
            }
            let code = Some(self.code.as_str()).filter(|code| !code.is_empty());
            Client::sign_in(&network, &address, &self.username, &self.password, code)?
        } else {
            Token::parse(&self.token).ok_or(Fault::Token)?
        };
        let server = Client::new(&network, address.clone(), token.clone())?.probe()?;
        Ok((address, token, server))
    }
}

/// The same, counted: this server is not the place to guess at the passwords and tokens of another. 429 if there were too many tries.
fn try_counted(app: &App, user: &UserId, wanted: &Wanted) -> Result<Result<(Address, Token, Server), Fault>> {
    let (knock, now) = (Knock::elsewhere(&app.key, user.as_str()), app.clock.now());
    app.db.write(|tx| knock.reserve(tx, now))?;
    let outcome = wanted.try_it(app);
    if outcome.as_ref().err().is_none_or(tells_nothing) {
        app.db.write(|tx| knock.take_back(tx, now))?;
    }
    Ok(outcome)
}

/// Nobody looked at the password or the token.
fn tells_nothing(fault: &Fault) -> bool {
    match fault {
        Fault::Unreachable(why) => matches!(why, Unreachable::Name | Unreachable::Refused | Unreachable::Tls | Unreachable::NoTls),
        Fault::Address(_)
        | Fault::NotPaperless(_)
        | Fault::Version(_)
        | Fault::RefusedNetwork
        | Fault::NeverNetwork
        | Fault::Throttled(_) => true,
        _ => false,
    }
}

/// `POST /settings/paperless`: connects, or says exactly what is wrong.
pub async fn connect(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let wanted = Wanted::read(&Form::read(&request, payload).await?);
    let user = signed.me.id.clone();
    let (outcome, wanted) = app.run(move |app| Ok((try_counted(app, &user, &wanted), wanted))).await?;
    let wrong = match outcome {
        Ok(Ok(found)) => return connected(&app, signed, found).await,
        Ok(Err(fault)) => Ok(fault),
        Err(error) => Err(error),
    };
    let page = app.read(move |conn, app| SettingsPage::load(conn, app, &signed)).await?;
    let (status, wait, wrong) = match wrong {
        Ok(fault) => (StatusCode::UNPROCESSABLE_ENTITY, None, reason::sentence_now(&page.ui.words, &reason::of_fault(&fault))),
        Err(error) => {
            let (status, Problems { notice, wait, .. }) = form::shown(&page.ui.words, error)?;
            (status, wait, notice)
        }
    };
    form::again(status, wait, &SettingsPage { wrong, address: wanted.address, username: wanted.username, ..page })
}

async fn connected(app: &web::Data<App>, signed: Signed, found: (Address, Token, Server)) -> Result<HttpResponse> {
    let (address, token, server) = found;
    let (actor, told) = (signed.actor.clone(), server.clone());
    app.write(move |tx, app| connection::keep(tx, app, &actor, &address, &token, &told)).await?;
    if server.missing.is_empty() {
        return Ok(see_other("/settings/paperless?done=connected"));
    }
    tested(app, signed, Ok(server)).await
}

/// `POST /settings/paperless/test`.
pub async fn test(app: web::Data<App>, signed: Signed) -> Result<HttpResponse> {
    let user = signed.me.id.clone();
    let outcome = app
        .run(move |app| {
            let own = app.db.read(|conn| connection::named(conn, &user))?;
            let probe = || own.client(&app.paperless.network()?, &app.key)?.probe();
            let outcome = probe();
            note(app, &user, &outcome)?;
            Ok(outcome)
        })
        .await?;
    tested(&app, signed, outcome).await
}

/// A test that went well mends what was waiting for it.
fn note(app: &App, user: &UserId, outcome: &Result<Server, Fault>) -> Result<()> {
    let now = app.clock.now();
    app.db.write(|tx| match outcome {
        Ok(_) => {
            connection::well(tx, user)?;
            copies::go_on(tx, user, now)
        }
        Err(fault) => connection::pause(tx, user, fault, now).map(drop),
    })
}

async fn tested(app: &web::Data<App>, signed: Signed, outcome: Result<Server, Fault>) -> Result<HttpResponse> {
    let page = app.read(move |conn, app| SettingsPage::load(conn, app, &signed)).await?;
    match outcome {
        Ok(server) => {
            let missing = server.missing.iter().map(|right| page.ui.t2("paperless.right", right.name())).collect();
            render(&SettingsPage { tested: Some(missing), ..page })
        }
        Err(fault) => {
            let wrong = reason::sentence_now(&page.ui.words, &reason::of_fault(&fault));
            render(&SettingsPage { wrong, ..page })
        }
    }
}

/// `POST /settings/paperless/options`.
pub async fn choose(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    app.write(move |tx, app| {
        connection::named(tx, &signed.me.id)?;
        let place = Place::parse(&form.text("default_store")).ok_or(Error::BadRequest("bad_request"))?;
        connection::choose(tx, &signed.actor, place, form.has("keep_local"), form.has("sync_tags"), app.clock.now())
    })
    .await?;
    Ok(see_other("/settings/paperless?done=chosen"))
}

/// `POST /settings/paperless/retry`: everything that failed, is missing or waits.
pub async fn retry(app: web::Data<App>, signed: Signed) -> Result<HttpResponse> {
    app.write(move |tx, app| {
        connection::named(tx, &signed.me.id)?;
        connection::well(tx, &signed.me.id)?;
        copies::all_again(tx, &signed.me.id, app.clock.now())
    })
    .await?;
    Ok(see_other("/settings/paperless?done=retried"))
}

/// `POST /settings/paperless/send`: the documents that are here, of one patient or of all.
pub async fn send(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    app.write(move |tx, app| {
        connection::named(tx, &signed.me.id)?;
        let (now, one) = (app.clock.now(), form.text("patient"));
        let all = access::all(tx, &signed.actor, now)?;
        let wanted = all.list.iter().filter(|access| access.may(Rank::Edit) && (one.is_empty() || access.id().as_str() == one));
        let ids: Vec<PatientId> = wanted.map(|access| access.id().clone()).collect();
        if ids.is_empty() {
            return Err(Error::NotFound);
        }
        for patient in ids {
            let access = access::grant::<access::Edit>(tx, &signed.actor, &patient, now)?;
            for file in copies::to_send(tx, &access)? {
                copies::send(tx, &access, &file)?;
            }
        }
        Ok(())
    })
    .await?;
    Ok(see_other("/settings/paperless?done=sent"))
}

/// `POST /settings/paperless/disconnect`: ends the connection; what lies only there is brought back first, if that is asked for.
pub async fn disconnect(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let back = form.text("how") == "bring_back";
    app.write(move |tx, app| {
        let now = app.clock.now();
        if back && copies::only_there(tx, &signed.me.id)? > 0 {
            connection::leave(tx, &signed.actor, now)
        } else {
            connection::end(tx, &signed.actor, now)
        }
    })
    .await?;
    Ok(see_other(if back { "/settings/paperless?done=leaving" } else { "/settings/paperless?done=ended" }))
}
