//! `/admin/trash`: how much lies there and when it goes. What it is, and bringing it back, is for those it belongs to.

use actix_web::{HttpResponse, web};
use askama::Template;
use chrono::NaiveDateTime;
use diesel::{
    dsl::{count_star, min},
    prelude::*,
};

use super::Admin;
use crate::{
    app::App,
    db::{
        Conn,
        schema::{files, patients},
    },
    error::Result,
    jobs::TRASH,
    page::{Ui, render},
    records::{figures, staged},
};

#[derive(Template)]
#[template(path = "admin/trash.html")]
struct TrashPage {
    ui: Ui,
    days: i64,
    rows: Vec<Row>,
}

struct Row {
    /// A word of the catalogue.
    what: &'static str,
    count: i64,
    /// When the first of them goes; empty if there are none.
    next: String,
}

type Thrown = (i64, Option<NaiveDateTime>);

fn thrown(conn: &mut Conn) -> Result<[(&'static str, Thrown); 3]> {
    let people = patients::table.filter(patients::deleted_at.lt(staged::unseen())).select((count_star(), min(patients::deleted_at)));
    let papers = files::table.filter(files::deleted_at.is_not_null()).select((count_star(), min(files::deleted_at)));
    Ok([("people", people.first(conn)?), ("records", figures::thrown(conn)?), ("documents", papers.first(conn)?)])
}

/// `GET /admin/trash`.
pub async fn show(app: web::Data<App>, admin: Admin) -> Result<HttpResponse> {
    let ui = admin.ui("/admin/trash");
    let thrown = app.read(|conn, _| thrown(conn)).await?;
    let row = |(what, (count, since)): (&'static str, Thrown)| Row {
        what,
        count,
        next: since.map(|since| ui.day(&(since + TRASH).date().to_string())).unwrap_or_default(),
    };
    let rows = thrown.into_iter().map(row).collect();
    render(&TrashPage { days: TRASH.num_days(), rows, ui })
}
