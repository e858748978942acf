//! `/admin/sessions`: who is signed in where, and signing them out.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::Admin;
use crate::{
    app::App,
    auth::{form::Form, manage, session},
    db::types::UserId,
    error::{Error, Result},
    page::{Ui, render, see_other},
    settings::sessions::{Row, row},
};

/// More than anybody looks through.
const MOST: i64 = 500;

#[derive(Template)]
#[template(path = "admin/sessions.html")]
struct SessionsPage {
    ui: Ui,
    done: String,
    rows: Vec<Row>,
}

/// `GET /admin/sessions`.
pub async fn list(app: web::Data<App>, admin: Admin, request: HttpRequest) -> Result<HttpResponse> {
    let (ui, done) = (admin.ui("/admin/sessions"), super::done(&request, &["ended"]));
    let all = app.read(|conn, app| session::all(conn, app.clock.now(), MOST)).await?;
    let own = &admin.me().session;
    let rows = all.into_iter().map(|(user, name, listed)| Row { user: user.to_string(), name, ..row(&ui, listed, own) }).collect();
    render(&SessionsPage { ui, done, rows })
}

/// `POST /admin/sessions`: `user` and `which`, a session's id or `all`.
pub async fn end(app: web::Data<App>, admin: Admin, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let user = UserId::parse(form.raw("user")).ok_or(Error::NotFound)?;
    let which = form.text("which");
    app.write(move |tx, app| {
        let only = (which != "all").then_some(which.as_str());
        manage::end_sessions(tx, &admin.0.actor, &user, only, app.clock.now())
    })
    .await?;
    Ok(see_other("/admin/sessions?done=ended"))
}
