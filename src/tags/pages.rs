//! The page of a household's tags: rename, recolour, merge, remove.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::{COLORS, Tag};
use crate::{
    app::App,
    auth::session::Signed,
    body,
    db::types::TagId,
    error::{Error, Result},
    page::{self, Ui, render, see_other},
};

#[derive(Template)]
#[template(path = "tags.html")]
struct TagsPage {
    ui: Ui,
    tags: Vec<Tag>,
    colors: &'static [&'static str],
}

/// `GET /tags`.
pub async fn list(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, _| {
            let household = page::household(conn, &signed.me.id)?;
            let tags = super::of_household(conn, &household)?;
            Ok(TagsPage { ui: Ui::new(Some(signed.me), &here), tags, colors: COLORS })
        })
        .await?;
    render(&page)
}

/// `POST /tags`: a new one.
pub async fn create(app: web::Data<App>, signed: Signed, payload: web::Payload, request: HttpRequest) -> Result<HttpResponse> {
    let pairs = body::form(&request, payload).await?;
    app.write(move |tx, app| {
        let household = page::household(tx, &signed.me.id)?;
        let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
        let name = super::names(&[value("name")]).pop().ok_or(Error::BadRequest("tag_name"))?;
        let color = value("color");
        let color = COLORS.iter().copied().find(|c| *c == color);
        super::ensure(tx, &household, &name, color, app.clock.now()).map(drop)
    })
    .await?;
    Ok(see_other("/tags"))
}

/// `POST /tags/{tag}`: another name or colour; the name of another tag merges the two. `_remove` takes it away.
pub async fn change(
    app: web::Data<App>,
    signed: Signed,
    tag: web::Path<String>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let tag = TagId::parse(&tag).ok_or(Error::NotFound)?;
    let pairs = body::form(&request, payload).await?;
    app.write(move |tx, _| {
        let household = page::household(tx, &signed.me.id)?;
        let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
        if pairs.iter().any(|(n, _)| n == "_remove") {
            return super::remove(tx, &household, &tag);
        }
        super::change(tx, &household, &tag, &value("name"), &value("color"))
    })
    .await?;
    Ok(see_other("/tags"))
}
