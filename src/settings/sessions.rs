//! `/settings/sessions`: the devices somebody is signed in on, and signing them out.

use actix_session::SessionExt;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::{
    app::App,
    audit::{Action, Event},
    auth::{
        form::Form,
        proof::Proved,
        session::{self, Listed, Signed},
        sign_in::leaving,
    },
    body,
    error::{Error, Result},
    page::{Ui, render, see_other},
};

#[derive(Template)]
#[template(path = "settings/sessions.html")]
struct SessionsPage {
    ui: Ui,
    done: bool,
    rows: Vec<Row>,
}

pub struct Row {
    pub id: String,
    /// Whose it is, where sessions of several people stand together.
    pub user: String,
    pub name: String,
    pub device: String,
    pub address: String,
    pub first_seen: String,
    pub last_seen: String,
    /// How they signed in.
    pub way: String,
    pub until: String,
    pub remember: bool,
    pub own: bool,
}

pub fn row(ui: &Ui, listed: Listed, own: &str) -> Row {
    let device = listed.agent.as_deref().and_then(device).unwrap_or_else(|| ui.t("settings.unknown_device"));
    Row {
        own: listed.id == own,
        user: String::new(),
        name: String::new(),
        way: ui.choice("SessionWay", &listed.way),
        until: ui.moment(&listed.expires_at),
        device,
        address: listed.address.unwrap_or_default(),
        first_seen: ui.moment(&listed.created_at),
        last_seen: ui.moment(&listed.last_seen_at),
        remember: listed.remember,
        id: listed.id,
    }
}

/// Browser and system, as far as their names stand in what the browser says of itself. Names are not translated.
pub fn device(agent: &str) -> Option<String> {
    // The first that fits: Edge and Opera also say Chrome, and Chrome also says Safari.
    const BROWSERS: &[(&str, &str)] =
        &[("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"), ("curl/", "curl")];
    const SYSTEMS: &[(&str, &str)] = &[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |list: &[(&str, &'static str)]| list.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    match (find(BROWSERS), find(SYSTEMS)) {
        (Some(browser), Some(system)) => Some(format!("{browser}, {system}")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

/// `GET /settings/sessions`.
pub async fn list(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let done = Form(body::query(&request)).has("done");
    let ui = Ui::new(Some(signed.me.clone()), request.path());
    let listed = app.read(move |conn, app| session::list(conn, &signed.me.id, app.clock.now())).await?;
    let own = ui.me.as_ref().map(|me| me.session.clone()).unwrap_or_default();
    let rows = listed.into_iter().map(|listed| row(&ui, listed, &own)).collect();
    render(&SessionsPage { ui, done, rows })
}

/// `POST /settings/sessions`: `which` is a session's id, `others` or `all`.
pub async fn end(app: web::Data<App>, signed: Signed, _: Proved, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let which = form.text("which");
    let own = signed.me.session.clone();
    let here_too = which == "all" || which == own;
    app.write(move |tx, app| {
        let (only, except) = match which.as_str() {
            "all" => (None, None),
            "others" => (None, Some(own.as_str())),
            id => (Some(id), None),
        };
        let ended = session::end(tx, &signed.me.id, only, except)?;
        if ended == 0 && only.is_some() {
            return Err(Error::NotFound);
        }
        // Only who ends this very session has gone.
        let now = app.clock.now();
        let event = match which.as_str() {
            id if id == own => Event::new(&signed.actor, Action::SignedOut, now),
            "all" => Event::new(&signed.actor, Action::SessionsEnded, now).kind("own_all"),
            "others" => Event::new(&signed.actor, Action::SessionsEnded, now).kind("own_others"),
            _ => Event::new(&signed.actor, Action::SessionsEnded, now).kind("own_one"),
        };
        event.write(tx)?;
        Ok(())
    })
    .await?;
    if here_too {
        request.get_session().purge();
        return Ok(leaving());
    }
    Ok(see_other("/settings/sessions?done=1"))
}

/// `GET /session`: that somebody is there, as any other request; a page asks it when they say that they go on.
pub async fn go_on(signed: Signed) -> HttpResponse {
    HttpResponse::Ok().json(signed.me.ends)
}
