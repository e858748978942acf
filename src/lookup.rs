//! The code lists as a page of their own, and as offers for the script that asks while one types.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::{
    auth::session::Signed,
    body,
    codes::{self, List},
    error::{Error, Result},
    page::{Ui, render},
};

#[derive(Template)]
#[template(path = "codes.html")]
struct CodesPage {
    ui: Ui,
    list: &'static str,
    q: String,
    offers: Vec<codes::Offer>,
}

/// `GET /codes/{list}?q=`: a page, or JSON for `Accept: application/json`.
pub async fn show(signed: Signed, list: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let list = List::named(&list).ok_or(Error::NotFound)?;
    let q: String =
        body::query(&request).into_iter().find(|(n, _)| n == "q").map(|(_, v)| v.chars().take(200).collect()).unwrap_or_default();
    let wants_json = request.headers().get("accept").and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("application/json"));
    let offers = if q.trim().is_empty() { Vec::new() } else { codes::search(list, &q, if wants_json { 8 } else { 50 }) };
    if wants_json {
        let lines: Vec<serde_json::Value> = offers
            .into_iter()
            .map(|offer| {
                let fields: serde_json::Map<String, serde_json::Value> =
                    offer.fields.into_iter().map(|(n, v)| (n.to_owned(), v.into())).collect();
                serde_json::json!({"code": offer.code, "text": offer.text, "detail": offer.detail, "fields": fields})
            })
            .collect();
        return Ok(HttpResponse::Ok().json(lines));
    }
    render(&CodesPage { ui: Ui::new(Some(signed.me), request.path()), list: list.name(), q, offers })
}
