//! `/admin`: the installation in numbers.

use actix_web::{HttpResponse, web};
use askama::Template;
use diesel::{dsl::count_star, prelude::*, sql_types::BigInt};

use super::{Admin, health};
use crate::{
    app::App,
    auth::manage::Role,
    db::{
        Conn,
        schema::{api_tokens, audit_events, files, households, jobs, patients, professional_links, sessions, users},
        state,
        statement::Statement,
    },
    error::Result,
    files::quota,
    jobs as work,
    page::{Ui, render},
    records::figures,
};

#[derive(Template)]
#[template(path = "admin/index.html")]
struct IndexPage {
    ui: Ui,
    /// Words of the catalogue and what stands beside them.
    figures: Vec<(&'static str, String)>,
    /// What wants to be looked at: words of the catalogue, and where.
    alarms: Vec<(&'static str, &'static str)>,
}

/// `GET /admin`.
pub async fn show(app: web::Data<App>, admin: Admin) -> Result<HttpResponse> {
    let ui = admin.ui("/admin");
    let page = app
        .run(move |app| {
            let well = health::probe(app);
            app.db.read(|conn| {
                let figures = count(conn, &ui, app)?;
                let mut alarms = Vec::new();
                let mut alarm = |so: bool, word: &'static str, place: &'static str| {
                    if so {
                        alarms.push((word, place));
                    }
                };
                alarm(admin.me().key_is_unkept, "key", "/settings/key?show=1");
                alarm(!well.is_writable, "storage", "/admin/health");
                alarm(well.is_short(), "space", "/admin/health");
                alarm(health::last(conn)?.is_some_and(|found| !found.is_well()), "check", "/admin/health");
                alarm(work::failing(conn)? > 0, "jobs", "/admin/jobs");
                alarm(!crate::mail::works(&app.config), "mail", "/admin/connections");
                Ok(IndexPage { ui, figures, alarms })
            })
        })
        .await?;
    render(&page)
}

fn count(conn: &mut Conn, ui: &Ui, app: &App) -> Result<Vec<(&'static str, String)>> {
    let now = app.clock.now();
    let accounts: i64 = users::table.filter(users::disabled_at.is_null()).select(count_star()).first(conn)?;
    let closed: i64 = users::table.filter(users::disabled_at.is_not_null()).select(count_star()).first(conn)?;
    let open = users::table.filter(users::disabled_at.is_null()).filter(users::role.eq(Role::Admin.as_str()));
    let admins: i64 = open.select(count_star()).first(conn)?;
    let homes: i64 = households::table.select(count_star()).first(conn)?;
    let people: i64 = patients::table.filter(patients::deleted_at.is_null()).select(count_star()).first(conn)?;
    let documents: i64 = files::table.filter(files::deleted_at.is_null()).select(count_star()).first(conn)?;
    let bytes: i64 = stored(conn)?;
    let signed_in: i64 =
        sessions::table.filter(sessions::user_id.is_not_null()).filter(sessions::expires_at.gt(now)).select(count_star()).first(conn)?;
    let tokens: i64 = api_tokens::table
        .filter(api_tokens::revoked_at.is_null())
        .filter(api_tokens::expires_at.is_null().or(api_tokens::expires_at.gt(now)))
        .select(count_star())
        .first(conn)?;
    let links: i64 = professional_links::table
        .filter(professional_links::revoked_at.is_null())
        .filter(professional_links::expires_at.gt(now))
        .select(count_star())
        .first(conn)?;
    let noted: i64 = audit_events::table.select(count_star()).first(conn)?;
    let waiting: i64 = jobs::table.filter(jobs::repeat_seconds.is_null()).select(count_star()).first(conn)?;
    let of = |n: i64| ui.number(&n);
    let size = |bytes: i64| quota::size(u64::try_from(bytes).unwrap_or_default());
    Ok(vec![
        ("accounts", of(accounts)),
        ("closed", of(closed)),
        ("admins", of(admins)),
        ("households", of(homes)),
        ("people", of(people)),
        ("records", of(figures::living(conn)?)),
        ("documents", of(documents)),
        ("documents_size", size(bytes)),
        ("database_size", size(state::of(conn)?.bytes)),
        ("sessions", of(signed_in)),
        ("tokens", of(tokens)),
        ("links", of(links)),
        ("audit", of(noted)),
        ("jobs", of(waiting)),
    ])
}

/// The bytes of all documents, those in the trash too.
pub fn stored(conn: &mut Conn) -> Result<i64> {
    Ok(Statement::<BigInt>::new("SELECT CAST(COALESCE(SUM(file_size), 0) AS BIGINT) FROM files").get_result::<i64>(conn)?)
}
