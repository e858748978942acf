//! Passkeys (`WebAuthn`): what a browser is asked, what it answers, and the keys of an account. A key always asks its person for a finger, a face
//! or a PIN, so that it is two factors in one.

use actix_web::{HttpRequest, http::header};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use webauthn_rs::prelude::{
    AuthenticationResult, DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyAuthentication, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder,
};

use crate::{
    app::App,
    auth::{accounts::Account, secret::random},
    config::Config,
    db::{
        Conn, Tx,
        schema::{passkey_challenges as challenges, passkeys as rows},
        types::UserId,
    },
    error::{Error, Result},
    records::field::FieldError,
};

/// How long a challenge waits for its answer.
const CHALLENGE: Duration = Duration::minutes(5);
pub const LONGEST_NAME: usize = 60;
/// More keys than anybody carries.
pub const MOST: i64 = 20;

/// What a challenge is for; its answer is worth nothing for anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Register,
    SignIn,
    Second,
    Confirm,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::SignIn => "sign_in",
            Self::Second => "second",
            Self::Confirm => "confirm",
        }
    }
}

/// Do passkeys work where a page was asked for?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Works,
    /// The page was opened at another address than the public one.
    Elsewhere,
    /// The public address has no https, without which browsers have no passkeys but on the same machine.
    NoHttps,
    /// The public address has numbers instead of a name.
    NoName,
}

impl Place {
    pub fn of(config: &Config, request: &HttpRequest) -> Self {
        let url = &config.public_url;
        let name = Url::parse(url.as_str()).ok().and_then(|url| url.domain().map(str::to_owned));
        let Some(name) = name else { return Self::NoName };
        if !url.is_https() && name != "localhost" && !name.ends_with(".localhost") {
            return Self::NoHttps;
        }
        let asked = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
        if asked.is_some_and(|asked| !asked.eq_ignore_ascii_case(url.host())) { Self::Elsewhere } else { Self::Works }
    }
    pub fn works(self) -> bool {
        self == Self::Works
    }
    /// For the catalogue: `passkey.place_...`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Elsewhere => "elsewhere",
            Self::NoHttps => "no_https",
            Self::NoName => "no_name",
        }
    }
}

fn webauthn(config: &Config) -> Result<Webauthn> {
    let none = || Error::Conflict("no_passkeys_here");
    let origin = Url::parse(config.public_url.as_str()).map_err(|_| none())?;
    let name = origin.domain().ok_or_else(none)?.to_owned();
    WebauthnBuilder::new(&name, &origin).and_then(|builder| builder.rp_name("Kinchart").build()).map_err(|_| none())
}

/// What a form brings: which challenge, and the browser's answer as JSON.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    pub challenge: String,
    pub credential: String,
}

/// The challenge as a browser gets it: its id, and the options for `navigator.credentials`.
pub type Challenge = Value;

fn keep(tx: &mut Tx<'_>, purpose: Purpose, user: Option<&UserId>, state: &impl Serialize, now: NaiveDateTime) -> Result<String> {
    let bytes: [u8; 32] = random().map_err(|error| Error::Internal(error.to_string()))?;
    let id = URL_SAFE_NO_PAD.encode(bytes);
    let state = serde_json::to_string(state).map_err(|_| broken("a state cannot be written"))?;
    diesel::insert_into(challenges::table)
        .values((
            challenges::id.eq(&id),
            challenges::purpose.eq(purpose.word()),
            challenges::user_id.eq(user),
            challenges::state.eq(state),
            challenges::expires_at.eq(now + CHALLENGE),
        ))
        .execute(&mut **tx)?;
    Ok(id)
}

/// The state of a challenge, once: it is gone afterwards, whatever the answer is worth.
fn take<T: DeserializeOwned>(app: &App, id: &str, purpose: Purpose, user: Option<&UserId>) -> Result<Option<T>> {
    let now = app.clock.now();
    let state: Option<String> = app.db.write(|tx| {
        let found: Option<(String, Option<UserId>, String, NaiveDateTime)> = challenges::table
            .find(id)
            .select((challenges::purpose, challenges::user_id, challenges::state, challenges::expires_at))
            .first(&mut **tx)
            .optional()?;
        diesel::delete(challenges::table.find(id)).execute(&mut **tx)?;
        let fits = |of: &str, by: Option<&UserId>, until: NaiveDateTime| of == purpose.word() && by == user && now < until;
        Ok(found.filter(|(of, by, _, until)| fits(of, by.as_ref(), *until)).map(|(_, _, state, _)| state))
    })?;
    Ok(state.and_then(|state| serde_json::from_str(&state).ok()))
}

fn broken(what: &str) -> Error {
    Error::Internal(format!("passkeys: {what}"))
}

fn challenge(id: &str, mut options: Value) -> Challenge {
    if let Some(options) = options.as_object_mut() {
        // A button asks, not a list of suggestions.
        options.remove("mediation");
    }
    serde_json::json!({ "challenge": id, "options": options })
}

fn json(value: impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|_| broken("a challenge cannot be written"))
}

fn all(conn: &mut Conn, user: &UserId) -> Result<Vec<Passkey>> {
    let stored: Vec<String> = rows::table.filter(rows::user_id.eq(user)).select(rows::credential).load(conn)?;
    stored.iter().map(|text| read(text)).collect()
}

fn read(stored: &str) -> Result<Passkey> {
    serde_json::from_str(stored).map_err(|_| broken("a stored key cannot be read"))
}

fn handle(user: &UserId) -> Result<Uuid> {
    Uuid::parse_str(user.as_str()).map_err(|_| broken("an account without an id"))
}

/// Begins a new key: one that is found by the browser without a name being typed.
pub fn start_registration(app: &App, account: &Account) -> Result<Challenge> {
    let now = app.clock.now();
    let known = app.db.read(|conn| all(conn, &account.id))?.iter().map(|key| key.cred_id().clone()).collect();
    let (options, state) = webauthn(&app.config)?
        .start_passkey_registration(handle(&account.id)?, &account.username, &account.full_name, Some(known))
        .map_err(|_| broken("no challenge for a new key"))?;
    let mut options = json(options)?;
    if let Some(selection) = options.pointer_mut("/publicKey/authenticatorSelection").and_then(Value::as_object_mut) {
        selection.insert("residentKey".to_owned(), "required".into());
        selection.insert("requireResidentKey".to_owned(), true.into());
    }
    let id = app.db.write(|tx| keep(tx, Purpose::Register, Some(&account.id), &state, now))?;
    Ok(challenge(&id, options))
}

/// The new key, if the answer is right; its challenge is used up in any case.
pub fn finish_registration(app: &App, user: &UserId, answered: &Answered) -> Result<Passkey> {
    let wrong = || Error::Invalid(vec![("credential".to_owned(), FieldError::Rule("error.passkey"))]);
    let state: PasskeyRegistration = take(app, &answered.challenge, Purpose::Register, Some(user))?.ok_or_else(wrong)?;
    let answer: RegisterPublicKeyCredential = serde_json::from_str(&answered.credential).map_err(|_| wrong())?;
    webauthn(&app.config)?.finish_passkey_registration(&answer, &state).map_err(|_| wrong())
}

/// Stores a key that [`finish_registration`] made.
pub fn add(tx: &mut Tx<'_>, user: &UserId, name: &str, key: &Passkey, now: NaiveDateTime) -> Result<()> {
    let credential_id = URL_SAFE_NO_PAD.encode(key.cred_id());
    let known: i64 = rows::table.filter(rows::credential_id.eq(&credential_id)).count().get_result(&mut **tx)?;
    let own: i64 = rows::table.filter(rows::user_id.eq(user)).count().get_result(&mut **tx)?;
    if known > 0 || own >= MOST {
        return Err(Error::Invalid(vec![("credential".to_owned(), FieldError::Rule("error.passkey"))]));
    }
    let credential = serde_json::to_string(key).map_err(|_| broken("a key cannot be written"))?;
    diesel::insert_into(rows::table)
        .values((
            rows::id.eq(uuid::Uuid::now_v7().to_string()),
            rows::user_id.eq(user),
            rows::name.eq(name),
            rows::credential_id.eq(credential_id),
            rows::credential.eq(credential),
            rows::created_at.eq(now),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// Asks for one of an account's keys.
pub fn start(app: &App, user: &UserId, purpose: Purpose) -> Result<Challenge> {
    let now = app.clock.now();
    let keys = app.db.read(|conn| all(conn, user))?;
    if keys.is_empty() {
        return Err(Error::NotFound);
    }
    let (options, state) = webauthn(&app.config)?.start_passkey_authentication(&keys).map_err(|_| broken("no challenge"))?;
    let id = app.db.write(|tx| keep(tx, purpose, Some(user), &state, now))?;
    Ok(challenge(&id, json(options)?))
}

/// Asks for a key of anybody's.
pub fn start_sign_in(app: &App) -> Result<Challenge> {
    let now = app.clock.now();
    let (options, state) = webauthn(&app.config)?.start_discoverable_authentication().map_err(|_| broken("no challenge"))?;
    let id = app.db.write(|tx| keep(tx, Purpose::SignIn, None, &state, now))?;
    Ok(challenge(&id, json(options)?))
}

/// An answer that waits to be compared with the key as it is stored.
#[derive(Clone)]
pub struct Claim {
    pub user: UserId,
    answer: PublicKeyCredential,
    state: State,
}

#[derive(Clone)]
enum State {
    Known(PasskeyAuthentication),
    Anybody(DiscoverableAuthentication),
}

/// The answer to [`start`], its challenge used up.
pub fn claim(app: &App, user: &UserId, purpose: Purpose, answered: &Answered) -> Result<Option<Claim>> {
    let state: Option<PasskeyAuthentication> = take(app, &answered.challenge, purpose, Some(user))?;
    let answer = serde_json::from_str(&answered.credential).ok();
    Ok(state.zip(answer).map(|(state, answer)| Claim { user: user.clone(), answer, state: State::Known(state) }))
}

/// The answer to [`start_sign_in`]: whose key it says it is, its challenge used up.
pub fn claim_of_anybody(app: &App, answered: &Answered) -> Result<Option<Claim>> {
    let state: Option<DiscoverableAuthentication> = take(app, &answered.challenge, Purpose::SignIn, None)?;
    let answer: Option<PublicKeyCredential> = serde_json::from_str(&answered.credential).ok();
    let Some((state, answer)) = state.zip(answer) else { return Ok(None) };
    let user = webauthn(&app.config)?.identify_discoverable_authentication(&answer).ok().and_then(|(id, _)| UserId::parse(&id.to_string()));
    Ok(user.map(|user| Claim { user, answer, state: State::Anybody(state) }))
}

/// Is the claim right? Compared with the key as it is stored at this moment: one that was removed opens nothing. Its use is noted.
pub fn verify(tx: &mut Tx<'_>, config: &Config, claim: &Claim, now: NaiveDateTime) -> Result<bool> {
    let stored: Option<(String, String)> = rows::table
        .filter(rows::user_id.eq(&claim.user))
        .filter(rows::credential_id.eq(URL_SAFE_NO_PAD.encode(&claim.answer.raw_id)))
        .select((rows::id, rows::credential))
        .first(&mut **tx)
        .optional()?;
    let Some((id, stored)) = stored else { return Ok(false) };
    let mut key = read(&stored)?;
    let Some(result) = proved(&webauthn(config)?, claim, &key).filter(AuthenticationResult::user_verified) else { return Ok(false) };
    key.update_credential(&result);
    let credential = serde_json::to_string(&key).map_err(|_| broken("a key cannot be written"))?;
    diesel::update(rows::table.find(id)).set((rows::credential.eq(credential), rows::last_used_at.eq(now))).execute(&mut **tx)?;
    Ok(true)
}

fn proved(webauthn: &Webauthn, claim: &Claim, key: &Passkey) -> Option<AuthenticationResult> {
    match &claim.state {
        State::Known(state) => webauthn.finish_passkey_authentication(&claim.answer, state).ok(),
        State::Anybody(state) => {
            webauthn.finish_discoverable_authentication_v2(&claim.answer, state.clone(), DiscoverableKey::from(key)).ok()
        }
    }
}

/// A key as its owner sees it.
#[derive(Clone, Debug, Queryable)]
pub struct Listed {
    pub id: String,
    pub name: String,
    pub created_at: NaiveDateTime,
    pub last_used_at: Option<NaiveDateTime>,
}

pub fn list(conn: &mut Conn, user: &UserId) -> Result<Vec<Listed>> {
    Ok(rows::table
        .filter(rows::user_id.eq(user))
        .order(rows::created_at)
        .select((rows::id, rows::name, rows::created_at, rows::last_used_at))
        .load(conn)?)
}

/// 404 if it is not this person's.
pub fn remove(tx: &mut Tx<'_>, user: &UserId, id: &str) -> Result<()> {
    let gone = diesel::delete(rows::table.filter(rows::id.eq(id)).filter(rows::user_id.eq(user))).execute(&mut **tx)?;
    if gone == 0 { Err(Error::NotFound) } else { Ok(()) }
}
