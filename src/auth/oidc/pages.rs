//! The pages of a sign-in by way of the provider: out, back, and the one that asks for a proof before an account is linked.

use std::sync::Arc;

use actix_session::SessionExt;
use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    web,
};
use askama::Template;
use chrono::Duration;
use openidconnect::{PkceCodeChallenge, PkceCodeVerifier};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::leave::left;
pub use super::prove::begin as begin_proof;
use super::{
    claims::{self, Somebody},
    decide::{self, Outcome, Refusal, Visit},
    fault::Fault,
    leave::Away,
    prove,
    provider::{Known, Provider},
    redirect_uri,
    token::{self, Redeemed},
};
use crate::{
    app::App,
    auth::{
        accounts,
        arrival::{self, Arrival, Comer, Next, Way},
        factors::second,
        form::{self, Form, Problems},
        proof,
        sealed_text::{Purpose, seal_text},
        session::{self, Me, Signed},
        sign_in::{self, Attempt},
        steps,
        throttle::Knock,
    },
    body,
    db::types::UserId,
    error::{Error, Result},
    page::{Ui, render, render_with, see_other},
    records::field::FieldError,
};

/// Long enough to find a telephone for the provider's own second factor.
const LASTS: Duration = Duration::minutes(10);
/// The largest form that is kept on the way.
const MOST_KEPT: usize = 256 * 1024;
/// No code, and no other word of the provider's, is longer.
const LONGEST_WORD: usize = 4096;

/// What is remembered while somebody is at the provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trip {
    nonce: String,
    verifier: String,
    errand: Errand,
}

/// What for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Errand {
    /// `next`, `resume_path` and `resume_body`, as in the form of the sign-in page.
    SignIn { remember: bool, pairs: Vec<(String, String)> },
    /// To link another identity to the account of this session.
    Link { user: UserId, session: String },
    /// To prove once more whose this session is, and to go on as after a sign-in.
    Prove { user: UserId, session: String, pairs: Vec<(String, String)> },
}

/// Somebody whose address an account has, until that account is proved.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    somebody: Somebody,
    id_token: String,
    user: UserId,
    may_separate: bool,
    remember: bool,
    pairs: Vec<(String, String)>,
}

fn trip_name(browser: &str, state: &str) -> String {
    format!("trip.{browser}.{state}")
}

fn pending_name(browser: &str) -> String {
    format!("pending.{browser}")
}

pub(super) fn provider(app: &App) -> Result<Arc<Provider>> {
    app.provider.clone().ok_or(Error::NotFound)
}

/// `POST /login/provider`: remembers what for, and leads to the provider.
pub async fn begin(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let provider = provider(&app)?;
    let form = Form::read(&request, payload).await?;
    // The first account is the setup's.
    if app.run(|app| app.setup.is_due(app)).await? {
        return Ok(see_other("/setup"));
    }
    let errand = Errand::SignIn { remember: form.has("remember"), pairs: carried(&form)? };
    set_out(&app, &request, &provider, errand, None).await
}

/// What a form carries along, to go on with afterwards.
pub(super) fn carried(form: &Form) -> Result<Vec<(String, String)>> {
    let wanted = ["next", "resume_path", "resume_body"];
    let pairs: Vec<(String, String)> = form.0.iter().filter(|(name, _)| wanted.contains(&name.as_str())).cloned().collect();
    let size: usize = pairs.iter().map(|(_, value)| value.len()).sum();
    if size > MOST_KEPT { Err(Error::TooLarge) } else { Ok(pairs) }
}

/// To the provider, with what it must give back.
pub async fn set_out(app: &App, request: &HttpRequest, provider: &Provider, errand: Errand, me: Option<Me>) -> Result<HttpResponse> {
    let address = session::address(request);
    app.write(move |tx, app| Knock::trip(&app.key, address.as_deref()).reserve(tx, app.clock.now())).await?;
    let known = match provider.answering().await {
        Ok(known) => known,
        Err(fault) => return unavailable(app, me, &fault),
    };
    let browser = steps::browser(app, request).map_or_else(steps::text, Ok)?;
    let (state, trip) = (steps::text()?, Trip { nonce: steps::text()?, verifier: steps::text()?, errand });
    let away = Away {
        ui: Ui::new(me, "/login/provider"),
        name: provider.settings.name(),
        address: authorization(app, provider, &known, &state, &trip),
        about: "oidc.going",
        cookie: steps::browser_cookie(app, &browser).to_string(),
    };
    let name = trip_name(&browser, &state);
    app.write(move |tx, app| steps::put(tx, &app.key, &name, None, &trip, app.clock.now(), LASTS)).await?;
    away.page()
}

fn authorization(app: &App, provider: &Provider, known: &Known, state: &str, trip: &Trip) -> String {
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(trip.verifier.clone()));
    let mut address: Url = known.document.authorization_endpoint.clone();
    address
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &provider.client_id)
        .append_pair("redirect_uri", &redirect_uri(app))
        .append_pair("scope", &provider.settings.scopes)
        .append_pair("state", state)
        .append_pair("nonce", &trip.nonce)
        .append_pair("code_challenge", challenge.as_str())
        .append_pair("code_challenge_method", "S256");
    if matches!(trip.errand, Errand::Prove { .. }) {
        // Not whoever signed in there some time ago.
        address.query_pairs_mut().append_pair("prompt", "login").append_pair("max_age", "0");
    }
    address.to_string()
}

/// Why there is no sign-in, in our own words: nothing of the provider's is shown.
#[derive(Template)]
#[template(path = "auth/provider_refused.html")]
struct RefusedPage {
    ui: Ui,
    name: String,
    sentence: String,
    /// What may help.
    advice: String,
    only: bool,
}

fn refused(app: &App, status: StatusCode, me: Option<Me>, key: &str, value: &str) -> Result<HttpResponse> {
    let ui = Ui::new(me, "/login/provider/callback");
    let name = app.config.oidc.name();
    let advice = ui.words.find(&format!("{key}.advice")).map(|text| text.replace("{name}", &name)).unwrap_or_default();
    let sentence = ui.words.with(key, &[("name", &name), ("value", value)]);
    render_with(status, &RefusedPage { name, sentence, advice, only: app.config.oidc.only, ui }).map(unreferred)
}

/// The address holds a code: nobody is told that somebody comes from it.
pub(super) fn unreferred(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn unavailable(app: &App, me: Option<Me>, fault: &Fault) -> Result<HttpResponse> {
    log::warn!("the OpenID provider: {fault}");
    refused(app, StatusCode::SERVICE_UNAVAILABLE, me, "oidc.unavailable", "")
}

/// The words for what a provider answers instead of a code (RFC 6749, 4.1.2.1; `OpenID` Connect Core, 3.1.2.6).
fn error_key(word: &str) -> &'static str {
    match word {
        "access_denied" => "oidc.error.denied",
        "login_required" | "interaction_required" | "account_selection_required" | "consent_required" => "oidc.error.interaction",
        "temporarily_unavailable" | "server_error" => "oidc.error.unavailable",
        "invalid_scope" => "oidc.error.scope",
        "invalid_request" | "unauthorized_client" | "unsupported_response_type" => "oidc.error.settings",
        _ => "oidc.error.other",
    }
}

/// `GET /login/provider/callback`: back from the provider, with a code or without.
pub async fn callback(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    let provider = provider(&app)?;
    let query = Form(body::query(&request));
    let me = session::me(&request.get_session());
    let Some(trip) = trip(&app, &request, &query).await? else {
        return refused(&app, StatusCode::BAD_REQUEST, me, "oidc.lost", "");
    };
    if query.has("error") {
        note(&app, &request, "provider_denied").await?;
        return refused(&app, StatusCode::FORBIDDEN, me, error_key(query.raw("error")), "");
    }
    match known_somebody(&app, &provider, &query, &trip).await {
        Ok(known) => arrived(&app, &request, me, trip.errand, known).await,
        Err(Asked::Fault(fault)) => {
            note(&app, &request, fault.word()).await?;
            log::warn!("the OpenID provider: {}", fault.word());
            let (status, key) = match &fault {
                Fault::Token(_) => (StatusCode::BAD_GATEWAY, "oidc.token"),
                Fault::Code => (StatusCode::BAD_REQUEST, "oidc.lost"),
                Fault::Client => (StatusCode::BAD_GATEWAY, "oidc.error.settings"),
                _ => (StatusCode::SERVICE_UNAVAILABLE, "oidc.unavailable"),
            };
            let words = crate::i18n::Locale::default();
            refused(&app, status, me, key, &fault.told(&words))
        }
        Err(Asked::Error(error)) => Err(error),
    }
}

enum Asked {
    Fault(Fault),
    Error(Error),
}
impl From<Fault> for Asked {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
impl From<Error> for Asked {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What this browser set out with, if it was this one; nobody comes back twice.
async fn trip(app: &App, request: &HttpRequest, query: &Form) -> Result<Option<Trip>> {
    let state = query.raw("state").to_owned();
    let Some(browser) = steps::browser(app, request).filter(|_| steps::is_text(&state)) else { return Ok(None) };
    let name = trip_name(&browser, &state);
    app.write(move |tx, app| steps::take(tx, &app.key, &name, app.clock.now())).await
}

/// Who came back, and by which token.
struct Arrived {
    somebody: Somebody,
    id_token: String,
    /// As they stand in the token.
    claims: Value,
}

/// Redeems the code and reads who it is.
async fn known_somebody(app: &App, provider: &Arc<Provider>, query: &Form, trip: &Trip) -> Result<Arrived, Asked> {
    let known = provider.known().await?;
    // RFC 9207: whose answer it is, so that one provider's is not given to another.
    let told = query.raw("iss");
    let must_tell = known.document.authorization_response_iss_parameter_supported;
    if (!told.is_empty() && told != known.document.issuer) || (told.is_empty() && must_tell) {
        return Err(Fault::Token(super::fault::Flaw::Issuer).into());
    }
    let code = query.raw("code");
    if code.is_empty() || code.len() > LONGEST_WORD {
        return Err(Fault::Code.into());
    }
    let redirect_uri = redirect_uri(app);
    let redeemed = Redeemed { code, verifier: &trip.verifier, nonce: &trip.nonce, redirect_uri: &redirect_uri };
    let tokens = token::exchange(provider, &known, &redeemed).await?;
    let (known, claims) = token::verified(provider, known, &tokens, &trip.nonce, app.clock.now()).await?;
    let somebody = claims::read(provider, &known, &tokens, claims.clone()).await?;
    Ok(Arrived { somebody, id_token: tokens.id_token, claims })
}

async fn note(app: &App, request: &HttpRequest, why: &'static str) -> Result<()> {
    let address = session::address(request);
    app.write(move |tx, app| decide::note_failure(tx, None, why, address.as_deref(), app.clock.now())).await
}

/// The provider knows them: what becomes of it here.
async fn arrived(app: &App, request: &HttpRequest, me: Option<Me>, errand: Errand, arrived: Arrived) -> Result<HttpResponse> {
    let Arrived { somebody, id_token, claims } = arrived;
    match errand {
        Errand::Prove { user, session, pairs } => match session::signed(request).filter(|signed| is_of(&signed.me, &user, &session)) {
            Some(signed) => prove::finish(app, request, signed, somebody, &claims, pairs).await,
            None => turned_away(app, me, Refusal::Gone),
        },
        Errand::SignIn { remember, pairs } => {
            let (comer, next, wanted) = (Comer::of(request), Form(pairs.clone()), somebody.clone());
            let outcome = app.write(move |tx, app| {
                let next = [next.raw("resume_path"), next.raw("next")].into_iter().find(|path| !path.is_empty()).unwrap_or("/");
                let visit = Visit { somebody: &wanted, comer: &comer, next, now: app.clock.now() };
                decide::sign_in(tx, app, &visit)
            });
            match outcome.await? {
                Outcome::In { user, identity } => enter(app, request, user, &identity, &id_token, remember, &pairs).await,
                Outcome::Ask { user, may_separate } => {
                    let pending = Pending { somebody, id_token, user, may_separate, remember, pairs };
                    ask(app, request, pending).await
                }
                Outcome::Refused(refusal) => turned_away(app, me, refusal),
            }
        }
        Errand::Link { user, session } => {
            // It is done in the session that asked for it, or not at all.
            if !me.as_ref().is_some_and(|me| is_of(me, &user, &session)) {
                return turned_away(app, me, Refusal::Gone);
            }
            let comer = Comer::of(request);
            let outcome = app.write(move |tx, app| {
                let visit = Visit { somebody: &somebody, comer: &comer, next: "/", now: app.clock.now() };
                decide::link(tx, app, &user, &visit)
            });
            match outcome.await? {
                Outcome::Refused(refusal) => turned_away(app, me, refusal),
                _ => Ok(unreferred(see_other("/settings/providers?done=linked"))),
            }
        }
    }
}

fn is_of(me: &Me, user: &UserId, session: &str) -> bool {
    me.id == *user && me.session == session
}

pub(super) fn turned_away(app: &App, me: Option<Me>, refusal: Refusal) -> Result<HttpResponse> {
    let key = format!("oidc.refused.{}", refusal.word().trim_start_matches("provider_"));
    refused(app, StatusCode::FORBIDDEN, me, &key, "")
}

/// The ID token as the session keeps it: what the provider wants back at the sign-out.
fn sealed(app: &App, identity: &str, id_token: &str) -> Result<String> {
    seal_text(&app.key, Purpose::IdToken, identity, id_token).map_err(|error| Error::Internal(error.to_string()))
}

async fn enter(
    app: &App,
    request: &HttpRequest,
    user: UserId,
    identity: &str,
    id_token: &str,
    remember: bool,
    pairs: &[(String, String)],
) -> Result<HttpResponse> {
    let held = Some((identity.to_owned(), sealed(app, identity, id_token)?));
    let arrival = Arrival { remember, identity: held, ..Arrival::new(user, Way::Provider) };
    let next = arrival::arrive(app, request, arrival).await?;
    sign_in::follow(app, request, next, &Form(pairs.to_vec())).await.map(unreferred)
}

/// Keeps who it is until the account is proved, and leads to the page that asks.
async fn ask(app: &App, request: &HttpRequest, pending: Pending) -> Result<HttpResponse> {
    let Some(browser) = steps::browser(app, request) else { return Err(Error::BadRequest("broken_form")) };
    let (name, user) = (pending_name(&browser), pending.user.clone());
    app.write(move |tx, app| steps::put(tx, &app.key, &name, Some(&user), &pending, app.clock.now(), LASTS)).await?;
    Ok(unreferred(see_other("/login/link")))
}

#[derive(Template)]
#[template(path = "auth/provider_link.html")]
struct LinkPage {
    ui: Ui,
    name: String,
    email: String,
    may_separate: bool,
    /// Is a password asked for? Not from who is signed in as that account since a moment ago.
    asks_password: bool,
    /// The account has none: it is proved by signing in the way it has.
    has_password: bool,
    problems: Problems,
}

async fn pending(app: &App, request: &HttpRequest) -> Result<Option<Pending>> {
    let Some(browser) = steps::browser(app, request) else { return Ok(None) };
    app.read(move |conn, app| steps::look(conn, &app.key, &pending_name(&browser), app.clock.now())).await
}

fn is_proved(app: &App, me: Option<&Me>, user: &UserId) -> bool {
    me.is_some_and(|me| me.id == *user && proof::is_fresh(app, me))
}

async fn link_page(app: &App, me: Option<Me>, pending: &Pending, problems: Problems) -> Result<LinkPage> {
    let user = pending.user.clone();
    let account = app.read(move |conn, _| accounts::by_id(conn, &user)).await?;
    Ok(LinkPage {
        asks_password: !is_proved(app, me.as_ref(), &pending.user),
        ui: Ui::new(me, "/login/link"),
        name: app.config.oidc.name(),
        email: pending.somebody.email.clone().unwrap_or_default(),
        may_separate: pending.may_separate,
        has_password: account.password_hash.is_some(),
        problems,
    })
}

/// `GET /login/link`: the account that has this address is to be proved, or there are to be two.
pub async fn offer_link(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    provider(&app)?;
    let me = session::me(&request.get_session());
    match pending(&app, &request).await? {
        Some(pending) => render(&link_page(&app, me, &pending, Problems::default()).await?),
        None => refused(&app, StatusCode::BAD_REQUEST, me, "oidc.lost", ""),
    }
}

/// `POST /login/link`: `what` is `link` or `separate`.
pub async fn link(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    provider(&app)?;
    let form = Form::read(&request, payload).await?;
    let signed = session::me(&request.get_session());
    let Some(pending) = pending(&app, &request).await? else {
        return refused(&app, StatusCode::BAD_REQUEST, signed, "oidc.lost", "");
    };
    if form.raw("what") == "separate" && pending.may_separate {
        return separate(&app, &request, signed, pending).await;
    }
    if is_proved(&app, signed.as_ref(), &pending.user) {
        return match tied(&app, &request, &pending).await? {
            Tied::To(_) => Ok(see_other("/settings/providers?done=linked")),
            Tied::Refused(refusal) => turned_away(&app, signed, refusal),
            Tied::Lost => refused(&app, StatusCode::BAD_REQUEST, signed, "oidc.lost", ""),
        };
    }
    let (user, password, comer) = (pending.user.clone(), form.raw(proof::FIELD).to_owned(), Comer::of(&request));
    let proved = app.run(move |app| {
        let name = app.db.read(|conn| accounts::by_id(conn, &user))?.username;
        sign_in::sign_in(app, &Attempt { name, password, comer })
    });
    let proved = match proved.await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Error::Invalid(vec![(proof::FIELD.to_owned(), FieldError::Rule("error.password_current"))])),
        Err(error) => Err(error),
    };
    match proved {
        Ok(()) => proved_by_password(&app, &request, &pending).await,
        Err(error) => {
            let (status, problems) = form::shown(&crate::i18n::Locale::default(), error)?;
            form::again(status, problems.wait, &link_page(&app, signed, &pending, problems).await?)
        }
    }
}

/// The password was right. If the account asks for more than a password, that comes first: until then nothing is linked, and this page is where
/// it goes on.
async fn proved_by_password(app: &App, request: &HttpRequest, pending: &Pending) -> Result<HttpResponse> {
    // Not as who came from the provider: the account is proved by its own password, and by what else it asks for with it.
    let arrival = Arrival { remember: pending.remember, ..Arrival::new(pending.user.clone(), Way::Password) };
    if arrival::arrive(app, request, arrival.clone()).await? != Next::In {
        return Ok(see_other(&second::asked(&Form(vec![("next".to_owned(), "/login/link".to_owned())]))));
    }
    match tied(app, request, pending).await? {
        Tied::To(identity) => {
            let held = Some((identity.clone(), sealed(app, &identity, &pending.id_token)?));
            session::begin(&request.get_session(), request, &Arrival { identity: held, ..arrival })?;
            sign_in::go_on(app, request, &Form(pending.pairs.clone())).await
        }
        Tied::Refused(refusal) => turned_away(app, None, refusal),
        Tied::Lost => refused(app, StatusCode::BAD_REQUEST, None, "oidc.lost", ""),
    }
}

enum Tied {
    To(String),
    Refused(Refusal),
    Lost,
}

/// Links, with what was kept for it: once.
async fn tied(app: &App, request: &HttpRequest, pending: &Pending) -> Result<Tied> {
    let Some(browser) = steps::browser(app, request) else { return Ok(Tied::Lost) };
    let (comer, pending) = (Comer::of(request), pending.clone());
    app.write(move |tx, app| {
        let now = app.clock.now();
        if steps::take::<Pending>(tx, &app.key, &pending_name(&browser), now)?.is_none() {
            return Ok(Tied::Lost);
        }
        let visit = Visit { somebody: &pending.somebody, comer: &comer, next: "/", now };
        Ok(match decide::link(tx, app, &pending.user, &visit)? {
            Outcome::In { identity, .. } => Tied::To(identity),
            Outcome::Refused(refusal) => Tied::Refused(refusal),
            Outcome::Ask { .. } => Tied::Lost,
        })
    })
    .await
}

async fn separate(app: &App, request: &HttpRequest, me: Option<Me>, pending: Pending) -> Result<HttpResponse> {
    let Some(browser) = steps::browser(app, request) else { return Err(Error::BadRequest("broken_form")) };
    let (comer, wanted) = (Comer::of(request), pending.clone());
    let outcome = app.write(move |tx, app| {
        let now = app.clock.now();
        if steps::take::<Pending>(tx, &app.key, &pending_name(&browser), now)?.is_none() {
            return Ok(None);
        }
        let next = Form(wanted.pairs.clone());
        let next = [next.raw("resume_path"), next.raw("next")].into_iter().find(|path| !path.is_empty()).unwrap_or("/");
        let visit = Visit { somebody: &wanted.somebody, comer: &comer, next, now };
        decide::make(tx, app, &visit).map(Some)
    });
    match outcome.await? {
        Some(Outcome::In { user, identity }) => {
            enter(app, request, user, &identity, &pending.id_token, pending.remember, &pending.pairs).await
        }
        Some(Outcome::Refused(refusal)) => turned_away(app, me, refusal),
        Some(Outcome::Ask { .. }) | None => refused(app, StatusCode::BAD_REQUEST, me, "oidc.lost", ""),
    }
}

/// The errand of who is signed in and links another identity.
pub fn errand_of(signed: &Signed) -> Errand {
    Errand::Link { user: signed.me.id.clone(), session: signed.me.session.clone() }
}
