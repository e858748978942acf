//! `/confirm/provider`: who has neither a password nor a second factor here proves at their provider, once more, that they are there.

use actix_session::SessionExt;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::{
    claims::Somebody,
    decide::Refusal,
    identities,
    pages::{self, Errand},
};
use crate::{
    app::App,
    audit::{Action, Event},
    auth::{
        accounts, factors,
        form::Form,
        proof,
        session::{self, Signed},
        sign_in,
    },
    db::{Conn, Tx, types::UserId},
    error::{Error, Result},
};

/// `POST /confirm/provider`: remembers what was being sent, and leads to the provider.
pub async fn begin(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let provider = pages::provider(&app)?;
    let user = signed.me.id.clone();
    app.read(move |conn, _| must_have_nothing_else(conn, &user)).await?;
    let form = Form::read(&request, payload).await?;
    let pairs = pages::carried(&form)?;
    let errand = Errand::Prove { user: signed.me.id.clone(), session: signed.me.session.clone(), pairs };
    pages::set_out(&app, &request, &provider, errand, Some(signed.me)).await
}

/// A password or a second factor is not to be gone around by a provider that asks for less.
fn must_have_nothing_else(conn: &mut Conn, user: &UserId) -> Result<()> {
    let has_password = accounts::by_id(conn, user)?.password_hash.is_some();
    if has_password || factors::held(conn, user)?.any() { Err(Error::Forbidden) } else { Ok(()) }
}

/// Back from there, in the session that asked for it.
pub async fn finish(
    app: &App,
    request: &HttpRequest,
    signed: Signed,
    somebody: Somebody,
    claims: &Value,
    pairs: Vec<(String, String)>,
) -> Result<HttpResponse> {
    let asked_at = claims.get("auth_time").and_then(Value::as_i64);
    let who = signed.clone();
    let refusal = app.write(move |tx, app| judge(tx, app, &who, &somebody, asked_at)).await?;
    if let Some(refusal) = refusal {
        return pages::turned_away(app, Some(signed.me), refusal);
    }
    session::proved(&request.get_session(), &signed.me, app.clock.now())?;
    sign_in::go_on_confirmed(signed.me, &Form(pairs)).map(pages::unreferred)
}

/// It must be an identity of this account, and, where the provider tells it, somebody whom it asked just now. One that tells nothing of that is
/// believed: whoever is signed in there could sign in here with it, too.
fn judge(tx: &mut Tx<'_>, app: &App, signed: &Signed, somebody: &Somebody, asked_at: Option<i64>) -> Result<Option<Refusal>> {
    let now = app.clock.now();
    must_have_nothing_else(tx, &signed.me.id)?;
    let identity = identities::find(tx, somebody)?.filter(|identity| identity.user_id == signed.me.id);
    let is_late = asked_at.is_some_and(|at| at < (now - proof::FRESH).and_utc().timestamp());
    let refusal = match identity {
        None => Some(Refusal::NotYours),
        Some(_) if is_late => Some(Refusal::NotAsked),
        Some(_) => None,
    };
    if let Some(refusal) = refusal {
        Event::new(&signed.actor, Action::ConfirmFailed, now).failed(refusal.word()).write(tx)?;
    } else {
        proof::remember(tx, &signed.me, now)?;
        Event { detail: Some("provider".to_owned()), ..Event::new(&signed.actor, Action::Confirmed, now) }.write(tx)?;
    }
    Ok(refusal)
}
