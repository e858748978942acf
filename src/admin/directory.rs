//! `/admin/directory`: entries that everybody on the installation may choose. Administrators publish what their own households keep, and take back
//! any.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::Admin;
use crate::{
    app::App,
    audit::{Action, Event},
    auth::form::Form,
    directory::published::{self, Published},
    error::Result,
    page::{Ui, render, see_other},
};

#[derive(Template)]
#[template(path = "admin/directory.html")]
struct DirectoryPage {
    ui: Ui,
    done: String,
    published: Vec<Published>,
    own: Vec<Published>,
}

/// `GET /admin/directory`.
pub async fn list(app: web::Data<App>, admin: Admin, request: HttpRequest) -> Result<HttpResponse> {
    let (ui, done) = (admin.ui("/admin/directory"), super::done(&request, &["published", "withdrawn"]));
    let page = app
        .read(move |conn, _| {
            let own = published::to_publish(conn, &admin.me().id)?;
            Ok(DirectoryPage { published: published::all(conn)?, own, done, ui })
        })
        .await?;
    render(&page)
}

/// `POST /admin/directory`: `list`, `entry`, and `to`, which is `everybody` or `household`.
pub async fn save(app: web::Data<App>, admin: Admin, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let publish = form.raw("to") == "everybody";
    app.write(move |tx, app| {
        let (list, entry) = (form.text("list"), form.text("entry"));
        published::set(tx, &admin.me().id, &list, &entry, publish, app.clock.now())?;
        let action = if publish { Action::EntryPublished } else { Action::EntryWithdrawn };
        Ok(Event { detail: Some(entry), ..Event::new(&admin.0.actor, action, app.clock.now()) }.write(tx)?)
    })
    .await?;
    Ok(see_other(if publish { "/admin/directory?done=published" } else { "/admin/directory?done=withdrawn" }))
}
