//! `/settings/notices`: what somebody is told about their account, and whether they take over the people of one that goes.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::{
    admin::removal::{self, Offered},
    app::App,
    auth::{
        form::Form,
        notices::{self, Row},
        session::Signed,
    },
    db::types::UserId,
    error::{Error, Result},
    page::{Ui, render, see_other},
};

#[derive(Template)]
#[template(path = "settings/notices.html")]
struct NoticesPage {
    ui: Ui,
    rows: Vec<Line>,
    any_new: bool,
    takeovers: Vec<TakeOver>,
}

struct Line {
    text: String,
    at: String,
    new: bool,
}

struct TakeOver {
    id: String,
    name: String,
    by: String,
    people: i64,
}

fn line(ui: &Ui, row: Row) -> Line {
    let name = row.by_name.unwrap_or_default();
    Line { text: ui.t1(&format!("notice.{}", row.word), "name", name), at: ui.moment(&row.at), new: row.seen_at.is_none() }
}

fn take_over(offered: Offered) -> TakeOver {
    TakeOver { id: offered.user.to_string(), name: offered.name, by: offered.by, people: offered.people }
}

/// `GET /settings/notices`.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let ui = Ui::new(Some(signed.me.clone()), request.path());
    let page = app
        .read(move |conn, _| {
            let rows: Vec<Line> = notices::list(conn, &signed.me.id)?.into_iter().map(|row| line(&ui, row)).collect();
            let takeovers = removal::offered_to(conn, &signed.me.id)?.into_iter().map(take_over).collect();
            Ok(NoticesPage { any_new: rows.iter().any(|row| row.new), rows, takeovers, ui })
        })
        .await?;
    render(&page)
}

/// `POST /settings/notices`: they are read.
pub async fn seen(app: web::Data<App>, signed: Signed) -> Result<HttpResponse> {
    app.write(move |tx, app| notices::seen(tx, &signed.me.id, app.clock.now())).await?;
    Ok(see_other("/settings/notices"))
}

/// `POST /settings/notices/{account}`: yes or no to the people of an account that goes.
pub async fn answer(
    app: web::Data<App>,
    signed: Signed,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let user = UserId::parse(&path).ok_or(Error::NotFound)?;
    let (receiver, account) = (signed.me.id.clone(), user.clone());
    app.read(move |conn, _| removal::is_offered(conn, &account, &receiver)).await?;
    let form = Form::read(&request, payload).await?;
    let accepts = match form.raw("answer") {
        "accept" => true,
        "decline" => false,
        _ => return Err(Error::BadRequest("bad_request")),
    };
    app.write(move |tx, app| removal::answer(tx, &signed.actor, &user, accepts, app.clock.now())).await?;
    Ok(see_other(if accepts { "/patients" } else { "/settings/notices" }))
}
