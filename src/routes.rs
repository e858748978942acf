//! The whole URL map, on one screen.

use actix_web::{
    HttpRequest, HttpResponse, Route, guard,
    web::{self, ServiceConfig, delete, post, put},
};

use crate::{
    admin, api, assets,
    audit::pages as audit,
    auth::{
        address,
        factors::{confirm, passkey_sign_in, second},
        oidc::pages as oidc,
        operator_link, reset, setup, sign_in, sign_up,
        token::Bearer,
    },
    directory::pages as directory,
    error::{Error, Result},
    family::{pages as family, received, share_form},
    files::{
        api as files_api,
        inbox::{api as inbox_api, filing, pages as inbox},
        pages as files, previews, purging, shelf_pages as shelf, twins, waiting,
    },
    health,
    households::pages as households,
    interchange::{kept, pages as import},
    invitations::pages as invitations,
    looks, lookup,
    paperless::sync::{document as paperless_document, settings as paperless, take},
    patients::{history, home, pages as patients, photo},
    professional_links::{pages as links, visit},
    records::{api as records_api, export, pages as records},
    search,
    settings::{factors, key, notices, pages as settings, password, providers, sessions, tokens},
    sharing::{overview, pages as sharing},
    tags::pages as tags,
    timeline,
};

/// Makes of the map below what actix serves, and the same as data: a test asks every route as everybody
/// (`tests/access/expected.txt` has the answers; a route without a line there fails it).
macro_rules! routes {
    (
        pages { $($page_method:ident $page:literal => $page_handler:path;)+ }
        api { $($path:literal for $who:ident => $first:ident $first_handler:path $(, $method:ident $handler:path)*;)+ }
    ) => {
        /// Every route: its method and its pattern.
        pub const ROUTES: &[(&str, &str)] = &[
            $((word!($page_method), $page),)+
            $((word!($first), $path), $((word!($method), $path),)*)+
        ];

        pub fn map(config: &mut ServiceConfig) {
            config
                $(.route($page, of_method!($page_method).to($page_handler)))+
                $(.service(
                    web::resource($path)
                        .route(of_method!($first).to($first_handler))
                        $(.route(of_method!($method).to($handler)))*
                        .default_service(web::to(|_: $who| no_method(concat!(allowed!($first) $(, ", ", allowed!($method))*)))),
                ))+
                .service(web::scope(api::BASE).default_service(web::to(api::nothing)))
                .default_service(web::to(nothing));
        }
    };
}
macro_rules! word {
    (get) => {
        "GET"
    };
    (post) => {
        "POST"
    };
    (put) => {
        "PUT"
    };
    (delete) => {
        "DELETE"
    };
}
macro_rules! allowed {
    (get) => {
        "GET, HEAD"
    };
    ($method:ident) => {
        word!($method)
    };
}
macro_rules! of_method {
    (get) => {
        read()
    };
    ($method:ident) => {
        $method()
    };
}

routes! {
    pages {
        get "/static/{tag}/{name}" => assets::serve;
        get "/healthz" => health::show;
        // Accounts.
        get "/setup" => setup::show;
        post "/setup" => setup::submit;
        get "/login" => sign_in::show;
        post "/login" => sign_in::submit;
        post "/logout" => sign_in::out;
        post "/login/provider" => oidc::begin;
        get "/login/provider/callback" => oidc::callback;
        get "/login/provider/out" => oidc::left;
        get "/login/link" => oidc::offer_link;
        post "/login/link" => oidc::link;
        get "/enter/{text}" => operator_link::show;
        post "/enter/{text}" => operator_link::enter;
        get "/signup" => sign_up::show;
        post "/signup" => sign_up::submit;
        get "/forgot" => reset::ask;
        post "/forgot" => reset::send;
        get "/reset/{text}" => reset::show;
        post "/reset/{text}" => reset::set;
        get "/address/{text}" => address::before;
        post "/address/{text}" => address::confirm;
        get "/session" => sessions::go_on;
        get "/settings" => settings::show;
        post "/settings/profile" => settings::save_profile;
        post "/settings/preferences" => settings::save_preferences;
        get "/settings/password" => password::show;
        post "/settings/password" => password::change;
        get "/settings/address" => address::show;
        post "/settings/address" => address::change;
        get "/settings/notices" => notices::show;
        post "/settings/notices" => notices::seen;
        post "/settings/notices/{account}" => notices::answer;
        get "/settings/key" => key::show;
        post "/settings/key/kept" => key::keep;
        get "/login/second" => second::show;
        post "/login/second" => second::submit;
        post "/login/second/challenge" => second::challenge;
        post "/login/passkey" => passkey_sign_in::submit;
        post "/login/passkey/challenge" => passkey_sign_in::challenge;
        get "/confirm" => confirm::show;
        post "/confirm" => confirm::submit;
        post "/confirm/challenge" => confirm::challenge;
        post "/confirm/provider" => oidc::begin_proof;
        get "/settings/factors" => factors::show;
        get "/settings/factors/totp" => factors::show_totp;
        post "/settings/factors/totp" => factors::begin_totp;
        post "/settings/factors/totp/confirm" => factors::confirm_totp;
        post "/settings/factors/totp/remove" => factors::remove_totp;
        post "/settings/factors/codes" => factors::make_codes;
        post "/settings/factors/passkeys" => factors::add_passkey;
        post "/settings/factors/passkeys/challenge" => factors::challenge;
        post "/settings/factors/passkeys/{passkey}/remove" => factors::remove_passkey;
        post "/settings/factors/provider" => factors::choose_provider;
        post "/settings/factors/seen" => factors::seen;
        get "/settings/sessions" => sessions::list;
        post "/settings/sessions" => sessions::end;
        get "/settings/tokens" => tokens::list;
        post "/settings/tokens" => tokens::create;
        post "/settings/tokens/{token}/revoke" => tokens::revoke;
        get "/settings/providers" => providers::show;
        post "/settings/providers/connect" => providers::connect;
        post "/settings/providers/unlink" => providers::unlink;
        post "/settings/providers/preference" => providers::prefer;
        get "/settings/activity" => audit::own;
        get "/settings/activity/csv" => audit::own_csv;
        get "/admin/audit" => audit::installation;
        get "/admin/audit/csv" => audit::installation_csv;
        get "/admin/audit/head" => audit::head;
        get "/settings/paperless" => paperless::show;
        post "/settings/paperless" => paperless::connect;
        post "/settings/paperless/test" => paperless::test;
        post "/settings/paperless/options" => paperless::choose;
        post "/settings/paperless/retry" => paperless::retry;
        post "/settings/paperless/send" => paperless::send;
        post "/settings/paperless/disconnect" => paperless::disconnect;
        // Administration: no record, no document, no patient's name.
        get "/admin" => admin::figures::show;
        get "/admin/users" => admin::accounts::list;
        post "/admin/users" => admin::accounts::create;
        get "/admin/users/new" => admin::accounts::new;
        get "/admin/users/{user}" => admin::one::show;
        post "/admin/users/{user}" => admin::one::act;
        get "/admin/users/{user}/delete" => admin::remove::show;
        post "/admin/users/{user}/delete" => admin::remove::submit;
        get "/admin/sessions" => admin::sessions::list;
        post "/admin/sessions" => admin::sessions::end;
        get "/admin/signup" => admin::sign_up::show;
        post "/admin/signup" => admin::sign_up::save;
        get "/admin/directory" => admin::directory::list;
        post "/admin/directory" => admin::directory::save;
        get "/admin/codes" => admin::codes::show;
        get "/admin/health" => admin::health::show;
        post "/admin/health" => admin::health::ask;
        get "/admin/jobs" => admin::jobs::list;
        post "/admin/jobs/{job}" => admin::jobs::again;
        get "/admin/connections" => admin::connections::show;
        post "/admin/connections/mail" => admin::connections::test_mail;
        post "/admin/connections/provider" => admin::connections::test_provider;
        get "/admin/trash" => admin::trash::show;
        // Pages of one person, over all patients.
        get "/" => home::start;
        get "/search" => search::show;
        get "/codes/{list}" => lookup::show;
        get "/tags" => tags::list;
        post "/tags" => tags::create;
        post "/tags/{tag}" => tags::change;
        get "/import" => import::upload;
        post "/import" => import::receive_file;
        get "/import/{import}" => import::show;
        post "/import/{import}" => import::apply;
        post "/import/{import}/who" => import::who;
        // Practitioners, practices, pharmacies.
        get "/directory/{list}" => directory::list;
        post "/directory/{list}" => directory::create;
        get "/directory/{list}/new" => directory::new;
        get "/directory/practitioners/{entry}/files" => shelf::list;
        post "/directory/practitioners/{entry}/files" => shelf::upload_papers;
        get "/directory/practitioners/{entry}/files/{paper}" => shelf::show;
        post "/directory/practitioners/{entry}/files/{paper}" => shelf::change;
        get "/directory/practitioners/{entry}/files/{paper}/content" => shelf::content;
        get "/directory/practitioners/{entry}/files/{paper}/pages/{page}" => shelf::picture;
        get "/directory/practitioners/{entry}/files/{paper}/state" => shelf::state;
        post "/directory/practitioners/{entry}/files/{paper}/delete" => shelf::delete;
        post "/directory/practitioners/{entry}/files/{paper}/restore" => shelf::restore;
        get "/directory/practitioners/{entry}/files/{paper}/purge" => purging::ask_shelf;
        post "/directory/practitioners/{entry}/files/{paper}/purge" => purging::submit_shelf;
        get "/directory/{list}/{entry}" => directory::show;
        post "/directory/{list}/{entry}" => directory::change;
        get "/directory/{list}/{entry}/original" => directory::original;
        post "/directory/{list}/{entry}/delete" => directory::delete;
        // People.
        get "/patients" => home::everyone;
        post "/patients" => patients::create;
        get "/patients/new" => patients::new;
        get "/patients/trash" => patients::people_trash;
        post "/patients/trash/{patient}/restore" => patients::restore;
        get "/patients/{patient}" => home::home;
        get "/patients/{patient}/edit" => patients::edit;
        post "/patients/{patient}/edit" => patients::change;
        post "/patients/{patient}/delete" => patients::delete;
        get "/patients/{patient}/photo" => photo::show;
        post "/patients/{patient}/photo" => photo::put;
        post "/patients/{patient}/photo/delete" => photo::delete;
        get "/patients/{patient}/history" => history::show;
        post "/patients/{patient}/history/{version}" => history::revert;
        get "/patients/{patient}/timeline" => timeline::show;
        get "/patients/{patient}/trash" => patients::trash;
        get "/patients/{patient}/original" => kept::of_patient;
        get "/patients/{patient}/offers" => kept::offers;
        get "/patients/{patient}/kept" => kept::list;
        get "/patients/{patient}/kept/original" => kept::original;
        // Sharing.
        get "/sharing" => overview::show;
        get "/invitations" => invitations::list;
        get "/invitations/{invitation}" => invitations::show;
        post "/invitations/{invitation}" => invitations::respond;
        post "/invitations/{invitation}/cancel" => invitations::take_back;
        post "/invitations/{invitation}/again" => invitations::send_again;
        get "/join/{text}" => invitations::join;
        post "/join/{text}" => invitations::respond_by_link;
        get "/join/{text}/account" => invitations::account;
        post "/join/{text}/account" => invitations::make_account;
        get "/household" => households::show;
        post "/household/{household}" => households::change;
        get "/household/{household}/members/{member}/leave" => households::before_leaving;
        post "/household/{household}/members/{member}/leave" => households::leave;
        get "/patients/{patient}/sharing" => sharing::show;
        post "/patients/{patient}/sharing" => sharing::invite;
        post "/patients/{patient}/sharing/owner" => sharing::offer_ownership;
        post "/patients/{patient}/sharing/resign" => sharing::resign;
        post "/patients/{patient}/sharing/leave" => sharing::leave;
        get "/patients/{patient}/sharing/{share}" => sharing::edit;
        post "/patients/{patient}/sharing/{share}" => sharing::change;
        post "/patients/{patient}/sharing/{share}/extend" => sharing::extend;
        post "/patients/{patient}/sharing/{share}/end" => sharing::end;
        // What runs in the family.
        get "/family-history" => received::list;
        get "/family-history/{share}/take" => received::take_form;
        post "/family-history/{share}/take" => received::take;
        get "/patients/{patient}/family" => family::show;
        get "/patients/{patient}/family/share" => share_form::show;
        post "/patients/{patient}/family/share" => share_form::submit;
        post "/patients/{patient}/family/shares/{share}/revoke" => share_form::revoke;
        // Links for professionals, and who looked.
        get "/patients/{patient}/links" => links::show;
        post "/patients/{patient}/links" => links::make;
        post "/patients/{patient}/links/{link}/revoke" => links::revoke;
        get "/patients/{patient}/looks" => looks::show;
        get "/patients/{patient}/looks/csv" => looks::csv;
        get "/l/{text}" => visit::door;
        post "/l/{text}" => visit::enter;
        get "/l/{text}/summary" => visit::summary;
        get "/l/{text}/files/{file}" => visit::document;
        // Documents of a patient and of their records.
        get "/patients/{patient}/files" => files::list;
        post "/patients/{patient}/files" => files::upload;
        get "/patients/{patient}/files/{file}" => files::show;
        post "/patients/{patient}/files/{file}" => files::change;
        get "/patients/{patient}/files/{file}/content" => files::content;
        get "/patients/{patient}/files/{file}/pages/{page}" => previews::picture;
        get "/patients/{patient}/files/{file}/state" => waiting::show;
        post "/patients/{patient}/files/{file}/delete" => files::delete;
        post "/patients/{patient}/files/{file}/restore" => files::restore;
        get "/patients/{patient}/files/{file}/purge" => purging::ask;
        post "/patients/{patient}/files/{file}/purge" => purging::submit;
        post "/patients/{patient}/files/{file}/paperless" => paperless_document::act;
        get "/patients/{patient}/paperless" => take::show;
        post "/patients/{patient}/paperless" => take::take;
        get "/patients/{patient}/paperless/{document}/thumbnail" => take::thumbnail;
        // Documents that wait to be filed, and those that came twice.
        get "/inbox" => inbox::list;
        post "/inbox" => inbox::upload;
        get "/inbox/file" => filing::show;
        post "/inbox/file" => filing::submit;
        get "/inbox/{document}" => shelf::show;
        post "/inbox/{document}" => shelf::change;
        get "/inbox/{document}/content" => shelf::content;
        get "/inbox/{document}/pages/{page}" => shelf::picture;
        get "/inbox/{document}/state" => shelf::state;
        post "/inbox/{document}/delete" => shelf::delete;
        post "/inbox/{document}/restore" => shelf::restore;
        get "/inbox/{document}/purge" => purging::ask_shelf;
        post "/inbox/{document}/purge" => purging::submit_shelf;
        get "/twins" => twins::show;
        post "/twins" => twins::answer;
        // Records of every kind.
        post "/patients/{patient}/none-known/{kind}" => records::none_known;
        get "/patients/{patient}/{kind}" => records::list;
        post "/patients/{patient}/{kind}" => records::create;
        get "/patients/{patient}/{kind}/csv" => export::csv;
        get "/patients/{patient}/{kind}/new" => records::new;
        get "/patients/{patient}/{kind}/{record}" => records::show;
        get "/patients/{patient}/{kind}/{record}/edit" => records::edit;
        post "/patients/{patient}/{kind}/{record}/edit" => records::change;
        post "/patients/{patient}/{kind}/{record}/delete" => records::delete;
        post "/patients/{patient}/{kind}/{record}/restore" => records::restore;
        post "/patients/{patient}/{kind}/{record}/status" => records::status;
        get "/patients/{patient}/{kind}/{record}/links" => records::link_form;
        post "/patients/{patient}/{kind}/{record}/links" => records::links;
        post "/patients/{patient}/{kind}/{record}/offers" => records::offer;
        get "/patients/{patient}/{kind}/{record}/original" => kept::of_record;
        get "/patients/{patient}/{kind}/{record}/history" => records::history;
        post "/patients/{patient}/{kind}/{record}/history/{version}" => records::revert;
    }
    // The API. A method that a path does not have is answered with those it has.
    api {
        "/api/v1/openapi.json" for Anybody => get api::document;
        "/api/v1" for Bearer => get api::index;
        "/api/v1/patients" for Bearer => get api::patients::list, post api::patients::create;
        "/api/v1/patients/{patient}" for Bearer => get api::patients::show, put api::patients::change, delete api::patients::delete;
        "/api/v1/patients/{patient}/files" for Bearer => get files_api::list, post files_api::create;
        "/api/v1/patients/{patient}/files/{file}" for Bearer => get files_api::show, delete files_api::delete;
        "/api/v1/patients/{patient}/files/{file}/content" for Bearer => get files_api::content;
        "/api/v1/inbox/files" for Bearer => get inbox_api::list, post inbox_api::create;
        "/api/v1/inbox/files/{document}" for Bearer => get inbox_api::show, delete inbox_api::delete;
        "/api/v1/inbox/files/{document}/content" for Bearer => get inbox_api::content;
        "/api/v1/inbox/files/{document}/file" for Bearer => post inbox_api::file;
        "/api/v1/patients/{patient}/{kind}" for Bearer => get records_api::list, post records_api::create;
        "/api/v1/patients/{patient}/{kind}/{record}" for Bearer => get records_api::show, put records_api::change, delete records_api::delete;
    }
}

/// GET, and HEAD beside it: the same answer, its body left out on the way.
fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

fn no_method(methods: &'static str) -> std::future::Ready<Result<HttpResponse>> {
    std::future::ready(Err(Error::MethodNotAllowed(methods)))
}

/// Who needs no token to be told which methods there are.
type Anybody = ();

async fn nothing() -> Result<&'static str> {
    Err(Error::NotFound)
}

/// The pattern a request matched, for the log: ids stand in paths, patterns tell nothing.
pub fn shape(request: &HttpRequest) -> String {
    request.match_pattern().unwrap_or_else(|| "no route".to_owned())
}
