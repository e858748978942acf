//! `/login/passkey`: signing in with a passkey and nothing else. The browser says whose it is; no name is typed.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use diesel::prelude::*;

use super::passkey::{self, Answered};
use crate::{
    app::App,
    audit::Action,
    auth::{
        accounts,
        arrival::{self, Arrival, Comer, Way},
        form::Form,
        session, sign_in,
        throttle::Knock,
    },
    db::{schema::users, types::UserId},
    error::Result,
    i18n::Locale,
};

/// `POST /login/passkey/challenge`: what a browser asks its keys, as JSON.
pub async fn challenge(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    let address = session::address(&request);
    let challenge = app
        .run(move |app| {
            let knock = Knock::challenge(&app.key, address.as_deref());
            app.db.write(|tx| knock.reserve(tx, app.clock.now()))?;
            passkey::start_sign_in(app)
        })
        .await?;
    Ok(HttpResponse::Ok().json(challenge))
}

/// `POST /login/passkey`.
pub async fn submit(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    if app.config.oidc.only {
        return sign_in::refused(&app, &form, StatusCode::FORBIDDEN, Locale::default().t("login.provider_only"));
    }
    let answered = Answered { challenge: form.raw("challenge").to_owned(), credential: form.raw("credential").to_owned() };
    let comer = Comer::of(&request);
    match app.run(move |app| sign_in(app, &answered, &comer)).await? {
        Some(user) => {
            let arrival = Arrival { remember: form.has("remember"), ..Arrival::new(user, Way::Passkey) };
            arrival::arrive(&app, &request, arrival).await?;
            sign_in::go_on(&app, &request, &form).await
        }
        None => sign_in::refused(&app, &form, StatusCode::UNPROCESSABLE_ENTITY, Locale::default().t("error.passkey")),
    }
}

/// The user, if it is a key of theirs; nothing tells whether it was the key, its answer or the account.
fn sign_in(app: &App, answered: &Answered, comer: &Comer) -> Result<Option<UserId>> {
    let now = app.clock.now();
    let claim = passkey::claim_of_anybody(app, answered)?;
    app.db.write(|tx| {
        let account: Option<(UserId, String)> = match &claim {
            Some(claim) => users::table
                .find(&claim.user)
                .filter(users::disabled_at.is_null())
                .select((users::id, users::full_name))
                .first(&mut **tx)
                .optional()?,
            None => None,
        };
        let is_right = match &claim {
            Some(claim) if account.is_some() => passkey::verify(tx, &app.config, claim, now)?,
            _ => false,
        };
        let who = account.as_ref().map(|(user, name)| (user, name.as_str()));
        match who.filter(|_| is_right) {
            Some(who) => arrival::event(tx, who, Way::Passkey, comer, now)?.write(tx)?,
            None => accounts::at_the_door(who, comer.address.clone(), Action::SignInFailed, now).failed("passkey").write(tx)?,
        }
        Ok(account.as_ref().filter(|_| is_right).map(|(user, _)| user.clone()))
    })
}
