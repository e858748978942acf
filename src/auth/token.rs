//! API tokens: who sends a request to the API.

use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};
use diesel::prelude::*;

use super::token_text::TokenText;
use crate::{
    access::{Actor, Via},
    app::App,
    db::{
        Conn,
        schema::{api_tokens, user_preferences, users},
        types::{TokenId, UserId},
    },
    error::{Error, Result},
    records::input::UnitSystem,
};

/// A request with a valid token: the handler's proof that there is one.
#[derive(Clone, Debug)]
pub struct Bearer {
    pub actor: Actor,
    pub units: UnitSystem,
}

impl FromRequest for Bearer {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = sent(request);
        let app = request.app_data::<web::Data<App>>().cloned();
        let address = crate::security::client_address(request);
        Box::pin(async move {
            let (token, app) = (token.ok_or(Error::NoToken)?, app.ok_or_else(|| Error::Internal("no app".into()))?);
            app.read(move |conn, app| look_up(conn, &token, app.clock.now(), address)).await
        })
    }
}

fn sent(request: &HttpRequest) -> Option<TokenText> {
    let (scheme, text) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { TokenText::parse(text.trim()) } else { None }
}

fn look_up(conn: &mut Conn, token: &TokenText, now: chrono::NaiveDateTime, address: Option<String>) -> Result<Bearer> {
    let row: Option<(TokenId, bool, UserId, String, Option<String>)> = api_tokens::table
        .inner_join(users::table.on(api_tokens::user_id.eq(users::id)))
        .left_join(user_preferences::table.on(user_preferences::user_id.eq(users::id)))
        .filter(api_tokens::token_hash.eq(token.hash()))
        .filter(api_tokens::revoked_at.is_null())
        .filter(api_tokens::expires_at.is_null().or(api_tokens::expires_at.gt(now)))
        .filter(users::disabled_at.is_null())
        .select((api_tokens::id, api_tokens::may_write, users::id, users::full_name, user_preferences::unit_system.nullable()))
        .first(conn)
        .optional()?;
    let (id, may_write, user, name, units) = row.ok_or(Error::NoToken)?;
    let actor = Actor { user, name, via: Via::Token { id, may_write }, address };
    Ok(Bearer { actor, units: UnitSystem::parse(units.as_deref().unwrap_or_default()) })
}
