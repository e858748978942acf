//! `/admin/jobs`: what is done in the background, what went wrong with it, and doing it now.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::Admin;
use crate::{
    app::App,
    audit::{Action, Event},
    error::Result,
    jobs::{self, Waiting},
    page::{Ui, render, see_other},
};

/// More than anybody looks through.
const MOST: i64 = 200;

#[derive(Template)]
#[template(path = "admin/jobs.html")]
struct JobsPage {
    ui: Ui,
    done: String,
    rows: Vec<Row>,
}

struct Row {
    id: String,
    task: String,
    /// `running`, `failed` or `waiting`: a word of the catalogue.
    state: &'static str,
    at: String,
    attempts: i64,
    error: String,
}

fn row(ui: &Ui, app: &App, job: Waiting) -> Row {
    let now = app.clock.now();
    Row {
        task: ui.words.find(&format!("admin.task.{}", job.task)).unwrap_or_else(|| job.task.clone()),
        state: if job.leased_until.is_some_and(|until| until > now) {
            "running"
        } else if job.last_error.is_some() {
            "failed"
        } else {
            "waiting"
        },
        at: ui.moment(&job.run_at),
        attempts: i64::from(job.attempts),
        error: job.last_error.unwrap_or_default(),
        id: job.id,
    }
}

/// `GET /admin/jobs`.
pub async fn list(app: web::Data<App>, admin: Admin, request: HttpRequest) -> Result<HttpResponse> {
    let (ui, done) = (admin.ui("/admin/jobs"), super::done(&request, &["again"]));
    let rows = app.read(|conn, _| jobs::waiting(conn, MOST)).await?;
    let rows = rows.into_iter().map(|job| row(&ui, &app, job)).collect();
    render(&JobsPage { ui, done, rows })
}

/// `POST /admin/jobs/{job}`: as soon as may be.
pub async fn again(app: web::Data<App>, admin: Admin, path: web::Path<String>) -> Result<HttpResponse> {
    let id = path.into_inner();
    app.write(move |tx, app| {
        let now = app.clock.now();
        let task = jobs::hasten(tx, &id, now)?;
        Ok(Event { detail: Some(task), ..Event::new(&admin.0.actor, Action::JobRetried, now) }.write(tx)?)
    })
    .await?;
    Ok(see_other("/admin/jobs?done=again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_has_words() {
        let ui = Ui::new(None, "");
        for task in jobs::TASKS {
            assert!(ui.words.find(&format!("admin.task.{task}")).is_some(), "{task}");
        }
    }
}
