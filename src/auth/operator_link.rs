//! A link that signs an account in once, made at the command line: the way back when the provider is gone, or when somebody has nothing else.
//!
//! Opening it does nothing but ask, because programs that look at links (mail scanners, previews) open them too.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::Duration;

use super::{
    accounts::{self, Account},
    arrival::{self, Arrival, Comer, Way},
    form::Form,
    notices::{self, Notice},
    sign_in, steps,
};
use crate::{
    app::App,
    audit::Action,
    db::types::UserId,
    error::{Error, Result},
    page::{Ui, render},
};

/// How long it waits for its one use.
pub const LASTS: Duration = Duration::minutes(15);

fn step_name(text: &str) -> String {
    format!("operator.{text}")
}

/// The link for that account. Whoever makes one is in the audit as the command.
pub fn make(app: &App, account: &Account) -> Result<String> {
    let text = steps::text()?;
    let now = app.clock.now();
    app.db.write(|tx| {
        steps::put(tx, &app.key, &step_name(&text), Some(&account.id), &account.id, now, LASTS)?;
        accounts::about(accounts::by_command(Action::SignInLinkMade, now), &account.id).write(tx)?;
        Ok(())
    })?;
    Ok(format!("{}/enter/{text}", app.config.public_url))
}

#[derive(Template)]
#[template(path = "auth/enter.html")]
struct EnterPage {
    ui: Ui,
    action: String,
    name: String,
}

/// `GET /enter/{text}`.
pub async fn show(app: web::Data<App>, path: web::Path<String>) -> Result<HttpResponse> {
    let text = path.into_inner();
    let action = format!("/enter/{text}");
    let name = app
        .read(move |conn, app| {
            let user: Option<UserId> = steps::look(conn, &app.key, &step_name(&text), app.clock.now())?;
            let account = accounts::by_id(conn, &user.ok_or(Error::NotFound)?)?;
            if account.disabled_at.is_some() { Err(Error::NotFound) } else { Ok(account.full_name) }
        })
        .await?;
    render(&EnterPage { ui: Ui::new(None, "/enter"), action, name })
}

/// `POST /enter/{text}`: signs in, and the link is over.
pub async fn enter(app: web::Data<App>, path: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let (text, comer) = (path.into_inner(), Comer::of(&request));
    let user = app
        .write(move |tx, app| {
            let now = app.clock.now();
            let user: Option<UserId> = steps::take(tx, &app.key, &step_name(&text), now)?;
            let account = accounts::by_id(tx, &user.ok_or(Error::NotFound)?)?;
            if account.disabled_at.is_some() {
                return Err(Error::NotFound);
            }
            arrival::event(tx, account.who(), Way::OperatorLink, &comer, now)?.write(tx)?;
            notices::tell_by_command(tx, &account.id, Notice::SignInLink, now)?;
            Ok(account.id)
        })
        .await?;
    let next = arrival::arrive(&app, &request, Arrival::new(user, Way::OperatorLink)).await?;
    sign_in::follow(&app, &request, next, &Form(Vec::new())).await
}
