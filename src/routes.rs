//! The whole URL map, on one screen.

use actix_web::{
    HttpRequest, HttpResponse, Resource, Route, Scope, guard,
    web::{self, ServiceConfig, delete, get, post, put},
};

use crate::{
    api, assets,
    auth::token::Bearer,
    error::{Error, Result},
    records::{api as records_api, export, pages as records},
};

pub fn map(config: &mut ServiceConfig) {
    config
        .route("/static/{tag}/{name}", get().to(assets::serve))
        // Records of every kind.
        .route("/patients/{patient}/none-known/{kind}", post().to(records::none_known))
        .route("/patients/{patient}/{kind}", get().to(records::list))
        .route("/patients/{patient}/{kind}", post().to(records::create))
        .route("/patients/{patient}/{kind}/csv", get().to(export::csv))
        .route("/patients/{patient}/{kind}/new", get().to(records::new))
        .route("/patients/{patient}/{kind}/{record}", get().to(records::show))
        .route("/patients/{patient}/{kind}/{record}/edit", get().to(records::edit))
        .route("/patients/{patient}/{kind}/{record}/edit", post().to(records::change))
        .route("/patients/{patient}/{kind}/{record}/delete", post().to(records::delete))
        .route("/patients/{patient}/{kind}/{record}/restore", post().to(records::restore))
        .route("/patients/{patient}/{kind}/{record}/status", post().to(records::status))
        .route("/patients/{patient}/{kind}/{record}/links", get().to(records::link_form))
        .route("/patients/{patient}/{kind}/{record}/links", post().to(records::links))
        .route("/patients/{patient}/{kind}/{record}/offers", post().to(records::offer))
        .route("/patients/{patient}/{kind}/{record}/history", get().to(records::history))
        .route("/patients/{patient}/{kind}/{record}/history/{version}", post().to(records::revert))
        .service(api())
        .default_service(web::to(nothing));
}

/// The API: everything but its description wants a token, and a method a path does not have is answered with those it has.
fn api() -> Scope {
    web::scope(api::BASE)
        .service(web::resource("/openapi.json").route(read().to(api::document)).default_service(web::to(|| no_method("GET, HEAD"))))
        .service(path("", "GET, HEAD").route(read().to(api::index)))
        .service(
            path("/patients", "GET, HEAD, POST")
                .route(read().to(api::patients::list))
                .route(post().to(api::patients::create)),
        )
        .service(
            path("/patients/{patient}", "GET, HEAD, PUT, DELETE")
                .route(read().to(api::patients::show))
                .route(put().to(api::patients::change))
                .route(delete().to(api::patients::delete)),
        )
        .service(
            path("/patients/{patient}/{kind}", "GET, HEAD, POST")
                .route(read().to(records_api::list))
                .route(post().to(records_api::create)),
        )
        .service(
            path("/patients/{patient}/{kind}/{record}", "GET, HEAD, PUT, DELETE")
                .route(read().to(records_api::show))
                .route(put().to(records_api::change))
                .route(delete().to(records_api::delete)),
        )
        .default_service(web::to(api::nothing))
}

fn path(path: &str, methods: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move |_: Bearer| no_method(methods)))
}

/// GET, and HEAD beside it: the same answer, its body left out on the way.
fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn no_method(methods: &'static str) -> Result<HttpResponse> {
    Err(Error::MethodNotAllowed(methods))
}

async fn nothing() -> Result<&'static str> {
    Err(Error::NotFound)
}

/// The pattern a request matched, for the log: ids stand in paths, patterns tell nothing.
pub fn shape(request: &HttpRequest) -> String {
    request.match_pattern().unwrap_or_else(|| "no route".to_owned())
}
