//! API tokens: made in the settings or at the command line, kept as hashes, asked for before anything else of an API request is looked at.

use actix_web::{
    Error as WebError, FromRequest, HttpMessage, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web,
};
use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use super::{session::Me, token_text::TokenText};
use crate::{
    access::{Actor, Via},
    app::App,
    audit::{Action, Event},
    db::{
        Conn, MultiBackend, Tx,
        schema::{api_tokens, audit_events, user_preferences, users},
        types::{TokenId, UserId},
    },
    error::{Error, Result},
    i18n::DateStyle,
};

/// How exactly "last used" is kept: a write a minute, not one a request.
const USED_EVERY: Duration = Duration::seconds(60);
/// The audit tells of a token's use when it was not used for so long, and of its refusal as seldom: programs ask all day.
const NOTED_EVERY: Duration = Duration::hours(1);
/// Most characters of a token's name.
pub const LONGEST_NAME: usize = 100;
/// The paths that want a token, and the one among them that describes the others.
const API: &str = "/api/";
const OPEN: &str = "/api/v1/openapi.json";

/// An API request with a valid token: the handler's proof. `me.session` is the token's id.
#[derive(Clone, Debug)]
pub struct Bearer {
    pub actor: Actor,
    pub me: Me,
}

impl FromRequest for Bearer {
    type Error = Error;
    type Future = std::future::Ready<Result<Self>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(request.extensions().get::<Self>().cloned().ok_or(Error::NoToken))
    }
}

/// Looks the token up before a route is chosen or a body read. It is a layer and no asynchronous extractor, because those of one handler run
/// side by side: a broken body could answer before the missing token does.
pub async fn first(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, WebError> {
    if !request.path().starts_with(API) || request.path() == OPEN {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    match bearer(request.request()).await {
        Ok(bearer) => {
            request.extensions_mut().insert(bearer);
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(error) => Ok(ServiceResponse::new(request.into_parts().0, HttpResponse::from_error(error))),
    }
}

async fn bearer(request: &HttpRequest) -> Result<Bearer> {
    let token = sent(request).ok_or(Error::NoToken)?;
    let app = request.app_data::<web::Data<App>>().ok_or(Error::NoToken)?;
    let address = super::session::address(request);
    app.run(move |app| recognise(app, &token, address)).await
}

/// The token of the header; two headers are none.
fn sent(request: &HttpRequest) -> Option<TokenText> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let (one, more) = (headers.next()?.to_str().ok()?, headers.next());
    let (scheme, text) = one.split_once(' ')?;
    (more.is_none() && scheme.eq_ignore_ascii_case("bearer")).then(|| TokenText::parse(text.trim())).flatten()
}

/// A token with its user and preferences, in one row.
type Row = (TokenId, bool, Option<NaiveDateTime>, UserId, String, String, String, Option<String>, Option<String>, Option<String>);

fn load(conn: &mut Conn, hash: &str, now: NaiveDateTime) -> Result<Option<Row>> {
    Ok(api_tokens::table
        .inner_join(users::table.on(api_tokens::user_id.eq(users::id)))
        .left_join(user_preferences::table.on(user_preferences::user_id.eq(users::id)))
        .filter(api_tokens::token_hash.eq(hash))
        .filter(api_tokens::revoked_at.is_null())
        .filter(api_tokens::expires_at.is_null().or(api_tokens::expires_at.gt(now)))
        .filter(users::disabled_at.is_null())
        .select((
            api_tokens::id,
            api_tokens::may_write,
            api_tokens::last_used_at,
            users::id,
            users::full_name,
            users::username,
            users::role,
            user_preferences::language.nullable(),
            user_preferences::unit_system.nullable(),
            user_preferences::date_format.nullable(),
        ))
        .first(conn)
        .optional()?)
}

/// Whose token this is, if it is still good.
pub fn recognise(app: &App, token: &TokenText, address: Option<String>) -> Result<Bearer> {
    let now = app.clock.now();
    let Some(row) = app.db.read(|conn| load(conn, &token.hash(), now))? else {
        refused(app, token, address, now)?;
        return Err(Error::NoToken);
    };
    let (id, may_write, last_used, user, name, username, role, language, units, dates) = row;
    let actor = Actor { user: user.clone(), name: name.clone(), via: Via::Token { id: id.clone(), may_write }, address };
    if last_used.is_none_or(|used| now - used >= USED_EVERY) {
        app.db.write(|tx| {
            diesel::update(api_tokens::table.find(&id)).set(api_tokens::last_used_at.eq(now)).execute(&mut **tx)?;
            if last_used.is_none_or(|used| now - used >= NOTED_EVERY) {
                Event::new(&actor, Action::TokenUsed, now).write(tx)?;
            }
            Ok(())
        })?;
    }
    let me = Me {
        proved_at: now,
        // Pages remind, programs are not people.
        key_is_unkept: false,
        has_factor: false,
        needs_factor: false,
        factors_reset_at: None,
        id: user.clone(),
        session: id.to_string(),
        name: name.clone(),
        username,
        role,
        language: language.unwrap_or_else(|| "en".to_owned()),
        metric: units.as_deref() == Some("metric"),
        dates: DateStyle::parse(dates.as_deref().unwrap_or_default()),
        waiting: 0,
        notices: 0,
        ends: super::session::Ends::default(),
    };
    Ok(Bearer { actor, me })
}

/// Notes that somebody came with a token that was good once; of one that nobody ever had there is nothing to tell.
fn refused(app: &App, token: &TokenText, address: Option<String>, now: NaiveDateTime) -> Result<()> {
    let known: Option<(Token, String)> = app.db.read(|conn| {
        Ok(api_tokens::table
            .inner_join(users::table.on(api_tokens::user_id.eq(users::id)))
            .filter(api_tokens::token_hash.eq(token.hash()))
            .select((Token::as_select(), users::full_name))
            .first(conn)
            .optional()?)
    })?;
    let Some((token, name)) = known else { return Ok(()) };
    let why = match token.state(now) {
        "active" => "disabled",
        state => state,
    };
    let actor = Actor { user: token.user_id, name, via: Via::Token { id: token.id.clone(), may_write: token.may_write }, address };
    app.db.write(|tx| {
        let noted: Option<String> = audit_events::table
            .filter(audit_events::actor.eq(actor.key()))
            .filter(audit_events::at.gt(now - NOTED_EVERY))
            .filter(audit_events::action.eq(Action::TokenRefused.word()))
            .filter(audit_events::session_id.eq(token.id.as_str()))
            .select(audit_events::id)
            .first(&mut **tx)
            .optional()?;
        if noted.is_none() {
            Event::new(&actor, Action::TokenRefused, now).failed(why).write(tx)?;
        }
        Ok(())
    })
}

/// A token as its owner sees it: everything but its text, which nobody can see again.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = api_tokens, check_for_backend(MultiBackend))]
pub struct Token {
    pub id: TokenId,
    pub user_id: UserId,
    pub name: String,
    pub may_write: bool,
    pub created_at: NaiveDateTime,
    pub expires_at: Option<NaiveDateTime>,
    pub last_used_at: Option<NaiveDateTime>,
    pub revoked_at: Option<NaiveDateTime>,
}

impl Token {
    /// A catalogue word: `active`, `expired`, `revoked`.
    pub fn state(&self, now: NaiveDateTime) -> &'static str {
        if self.revoked_at.is_some() {
            "revoked"
        } else if self.expires_at.is_some_and(|at| at <= now) {
            "expired"
        } else {
            "active"
        }
    }
}

/// A person's tokens, newest first.
pub fn list(conn: &mut Conn, user: &UserId) -> Result<Vec<Token>> {
    Ok(api_tokens::table.filter(api_tokens::user_id.eq(user)).order(api_tokens::id.desc()).select(Token::as_select()).load(conn)?)
}

/// Everybody's, with the user's name; for the command line.
pub fn list_all(conn: &mut Conn) -> Result<Vec<(Token, String)>> {
    Ok(api_tokens::table
        .inner_join(users::table.on(api_tokens::user_id.eq(users::id)))
        .order(api_tokens::id)
        .select((Token::as_select(), users::username))
        .load(conn)?)
}

/// What a new token may do, and for how long.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub user: UserId,
    pub name: String,
    pub may_write: bool,
    pub expires_at: Option<NaiveDateTime>,
}

/// Keeps the hash of a token; its text is the caller's to show, once.
pub fn create(tx: &mut Tx<'_>, new: &NewToken, token: &TokenText, event: Event) -> Result<TokenId> {
    let id = TokenId::new();
    diesel::insert_into(api_tokens::table)
        .values((
            api_tokens::id.eq(&id),
            api_tokens::user_id.eq(&new.user),
            api_tokens::name.eq(&new.name),
            api_tokens::token_hash.eq(token.hash()),
            api_tokens::may_write.eq(new.may_write),
            api_tokens::created_at.eq(event.at),
            api_tokens::expires_at.eq(new.expires_at),
        ))
        .execute(&mut **tx)?;
    about(event, &id).write(tx)?;
    Ok(id)
}

/// Ends a token: one's own, or with no user anybody's.
pub fn revoke(tx: &mut Tx<'_>, id: &TokenId, of: Option<&UserId>, event: Event) -> Result<()> {
    let mut query = diesel::update(api_tokens::table.filter(api_tokens::id.eq(id)).filter(api_tokens::revoked_at.is_null())).into_boxed();
    if let Some(user) = of {
        query = query.filter(api_tokens::user_id.eq(user));
    }
    let changed = query.set(api_tokens::revoked_at.eq(event.at)).execute(&mut **tx)?;
    if changed == 0 {
        return Err(Error::NotFound);
    }
    about(event, id).write(tx)?;
    Ok(())
}

/// Ends every token of somebody, as a part of what `event` tells.
pub fn revoke_all(tx: &mut Tx<'_>, user: &UserId, event: &Event) -> Result<()> {
    for token in list(tx, user)?.into_iter().filter(|token| token.revoked_at.is_none()) {
        revoke(tx, &token.id, Some(user), event.beside(Action::TokenRevoked))?;
    }
    Ok(())
}

fn about(mut event: Event, id: &TokenId) -> Event {
    event.detail = Some(id.to_string());
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::Action,
        auth::{accounts::by_command, testing},
    };

    fn make(app: &App, user: &UserId, days: Option<i64>) -> (TokenId, TokenText) {
        let now = app.clock.now();
        let text = TokenText::generate().unwrap();
        let new =
            NewToken { user: user.clone(), name: "test".into(), may_write: false, expires_at: days.map(|days| now + Duration::days(days)) };
        let id = app.db.write(|tx| create(tx, &new, &text, by_command(Action::TokenCreated, now))).unwrap();
        (id, text)
    }
    fn used(app: &App, user: &UserId) -> Option<NaiveDateTime> {
        app.db.read(|conn| list(conn, user)).unwrap().first().unwrap().last_used_at
    }

    #[test]
    fn a_token_names_its_user_until_it_ends() {
        let (app, _folder) = testing::app();
        let ann = testing::account(&app, "ann");
        let (id, text) = make(&app, &ann, Some(30));
        let bearer = recognise(&app, &text, None).unwrap();
        assert_eq!((bearer.me.id, bearer.actor.via), (ann.clone(), Via::Token { id: id.clone(), may_write: false }));
        let first = used(&app, &ann);
        assert!(first.is_some());
        app.clock.advance(Duration::seconds(30));
        recognise(&app, &text, None).unwrap();
        assert_eq!(used(&app, &ann), first, "not again within a minute");
        app.clock.advance(Duration::days(30));
        assert!(matches!(recognise(&app, &text, None), Err(Error::NoToken)), "expired");
    }

    #[test]
    fn revoked_unknown_and_disabled_are_refused() {
        let (app, _folder) = testing::app();
        let (ann, ben) = (testing::account(&app, "ann"), testing::account(&app, "ben"));
        let (id, text) = make(&app, &ann, None);
        let event = || by_command(Action::TokenRevoked, app.clock.now());
        assert!(matches!(app.db.write(|tx| revoke(tx, &id, Some(&ben), event())), Err(Error::NotFound)), "another's token");
        recognise(&app, &text, None).unwrap();
        app.db.write(|tx| revoke(tx, &id, Some(&ann), event())).unwrap();
        assert!(recognise(&app, &text, None).is_err());
        assert!(recognise(&app, &TokenText::generate().unwrap(), None).is_err());
        let (_, text) = make(&app, &ann, None);
        recognise(&app, &text, None).unwrap();
        app.db.write(|tx| super::super::accounts::disable(tx, &ann, event())).unwrap();
        assert!(recognise(&app, &text, None).is_err());
    }

    #[actix_web::test]
    async fn no_token_comes_before_everything_else() {
        let (app, _folder) = testing::app();
        let ann = testing::account(&app, "ann");
        let (_, text) = make(&app, &ann, None);
        let served = actix_web::test::init_service(crate::serve::web_app(app.clone())).await;
        let good = format!("Bearer {}", text.as_str());
        for (path, header, expected) in [
            ("/api/v1/nothing/here", None, 401),
            ("/api/v1/patients/x/medications", Some("Bearer kc_x"), 401),
            ("/api/v1/nothing/here", Some("Basic YTpi"), 401),
            ("/api/v1/nothing/here", Some(good.as_str()), 404),
        ] {
            let mut request = actix_web::test::TestRequest::post().uri(path).set_payload("{broken");
            if let Some(header) = header {
                request = request.insert_header(("authorization", header));
            }
            let response = actix_web::test::call_service(&served, request.to_request()).await;
            assert_eq!(response.status().as_u16(), expected, "{path} {header:?}");
        }
    }
}
