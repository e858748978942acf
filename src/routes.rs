//! The whole URL map, on one screen.

use actix_web::{
    HttpRequest, HttpResponse, Resource, Route, Scope, guard,
    web::{self, ServiceConfig, delete, get, post, put},
};

use crate::{
    api, assets,
    auth::{setup, sign_in, sign_up, token::Bearer},
    directory::pages as directory,
    error::{Error, Result},
    family::{pages as family, received},
    health,
    interchange::{kept, pages as import},
    lookup,
    patients::{history, home, pages as patients},
    records::{api as records_api, export, pages as records},
    search,
    settings::{pages as settings, password, sessions, tokens},
    tags::pages as tags,
    timeline,
};

pub fn map(config: &mut ServiceConfig) {
    config
        .route("/static/{tag}/{name}", get().to(assets::serve))
        .route("/healthz", get().to(health::show))
        // Accounts.
        .route("/setup", get().to(setup::show))
        .route("/setup", post().to(setup::submit))
        .route("/login", get().to(sign_in::show))
        .route("/login", post().to(sign_in::submit))
        .route("/logout", post().to(sign_in::out))
        .route("/signup", get().to(sign_up::show))
        .route("/signup", post().to(sign_up::submit))
        .route("/settings", get().to(settings::show))
        .route("/settings/profile", post().to(settings::save_profile))
        .route("/settings/preferences", post().to(settings::save_preferences))
        .route("/settings/password", get().to(password::show))
        .route("/settings/password", post().to(password::change))
        .route("/settings/sessions", get().to(sessions::list))
        .route("/settings/sessions", post().to(sessions::end))
        .route("/settings/tokens", get().to(tokens::list))
        .route("/settings/tokens", post().to(tokens::create))
        .route("/settings/tokens/{token}/revoke", post().to(tokens::revoke))
        // Pages of one person, over all patients.
        .route("/", get().to(home::start))
        .route("/search", get().to(search::show))
        .route("/codes/{list}", get().to(lookup::show))
        .route("/tags", get().to(tags::list))
        .route("/tags", post().to(tags::create))
        .route("/tags/{tag}", post().to(tags::change))
        .route("/import", get().to(import::upload))
        .route("/import", post().to(import::receive_file))
        .route("/import/{import}", get().to(import::show))
        .route("/import/{import}", post().to(import::apply))
        .route("/import/{import}/who", post().to(import::who))
        .route("/family-history", get().to(received::list))
        .route("/family-history/{share}/take", get().to(received::take_form))
        .route("/family-history/{share}/take", post().to(received::take))
        // Practitioners, practices, pharmacies.
        .route("/directory/{list}", get().to(directory::list))
        .route("/directory/{list}", post().to(directory::create))
        .route("/directory/{list}/new", get().to(directory::new))
        .route("/directory/{list}/{entry}", get().to(directory::show))
        .route("/directory/{list}/{entry}", post().to(directory::change))
        .route("/directory/{list}/{entry}/original", get().to(directory::original))
        .route("/directory/{list}/{entry}/delete", post().to(directory::delete))
        // People.
        .route("/patients", get().to(home::everyone))
        .route("/patients", post().to(patients::create))
        .route("/patients/new", get().to(patients::new))
        .route("/patients/trash", get().to(patients::people_trash))
        .route("/patients/trash/{patient}/restore", post().to(patients::restore))
        .route("/patients/{patient}", get().to(home::home))
        .route("/patients/{patient}/edit", get().to(patients::edit))
        .route("/patients/{patient}/edit", post().to(patients::change))
        .route("/patients/{patient}/delete", post().to(patients::delete))
        .route("/patients/{patient}/history", get().to(history::show))
        .route("/patients/{patient}/history/{version}", post().to(history::revert))
        .route("/patients/{patient}/timeline", get().to(timeline::show))
        .route("/patients/{patient}/family", get().to(family::show))
        .route("/patients/{patient}/trash", get().to(patients::trash))
        .route("/patients/{patient}/original", get().to(kept::of_patient))
        .route("/patients/{patient}/offers", get().to(kept::offers))
        .route("/patients/{patient}/kept", get().to(kept::list))
        .route("/patients/{patient}/kept/original", get().to(kept::original))
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
        .route("/patients/{patient}/{kind}/{record}/original", get().to(kept::of_record))
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
        .service(path("/patients", "GET, HEAD, POST").route(read().to(api::patients::list)).route(post().to(api::patients::create)))
        .service(
            path("/patients/{patient}", "GET, HEAD, PUT, DELETE")
                .route(read().to(api::patients::show))
                .route(put().to(api::patients::change))
                .route(delete().to(api::patients::delete)),
        )
        .service(
            path("/patients/{patient}/{kind}", "GET, HEAD, POST").route(read().to(records_api::list)).route(post().to(records_api::create)),
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

fn no_method(methods: &'static str) -> std::future::Ready<Result<HttpResponse>> {
    std::future::ready(Err(Error::MethodNotAllowed(methods)))
}

async fn nothing() -> Result<&'static str> {
    Err(Error::NotFound)
}

/// The pattern a request matched, for the log: ids stand in paths, patterns tell nothing.
pub fn shape(request: &HttpRequest) -> String {
    request.match_pattern().unwrap_or_else(|| "no route".to_owned())
}
