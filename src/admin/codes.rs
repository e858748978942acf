//! `/admin/codes`: the code lists that the program ships.

use actix_web::HttpResponse;
use askama::Template;

use super::Admin;
use crate::{
    codes::{self, List},
    error::Result,
    page::{Ui, render},
};

#[derive(Template)]
#[template(path = "admin/codes.html")]
struct CodesPage {
    ui: Ui,
    rows: Vec<Row>,
}

struct Row {
    /// The list's name, as addresses have it.
    name: &'static str,
    /// The edition as its source tells it; empty if it tells none.
    version: &'static str,
    entries: i64,
}

/// `GET /admin/codes`.
pub async fn show(admin: Admin) -> Result<HttpResponse> {
    let row = |list: List| Row {
        name: list.name(),
        version: Some(codes::version(list)).filter(|version| *version != "undated").unwrap_or_default(),
        entries: i64::try_from(codes::entries(list)).unwrap_or(i64::MAX),
    };
    render(&CodesPage { ui: admin.ui("/admin/codes"), rows: List::ALL.into_iter().map(row).collect() })
}
