//! What takes long to be sent ends with what opened it: a download stops when its session was ended, its token revoked or its account closed.

use std::{future::poll_fn, pin::Pin};

use actix_session::SessionExt;
use actix_web::{
    Error as WebError, HttpMessage,
    body::{BodySize, BodyStream, BoxBody, MessageBody, SizedStream},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::{self, Bytes},
};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use futures_util::stream::{self, Stream};

use super::{session, token::Bearer};
use crate::{
    access::Via,
    app::App,
    db::{
        Conn,
        schema::{api_tokens, sessions, users},
        types::{TokenId, UserId},
    },
    error::{Error, Result},
};

/// What is shorter is gone in a moment.
const LONG: u64 = 512 * 1024;

/// By what somebody is in.
#[derive(Clone, Debug)]
enum By {
    Session(String),
    Token(TokenId),
}

impl By {
    fn of(response: &ServiceResponse<BoxBody>) -> Option<Self> {
        if let Some(me) = session::me(&response.request().get_session()) {
            return Some(Self::Session(me.session));
        }
        match response.request().extensions().get::<Bearer>()?.actor.via.clone() {
            Via::Token { id, .. } => Some(Self::Token(id)),
            _ => None,
        }
    }

    fn holds(&self, conn: &mut Conn, now: NaiveDateTime) -> Result<bool> {
        let user: Option<UserId> = match self {
            Self::Session(id) => sessions::table
                .inner_join(users::table.on(sessions::user_id.eq(users::id.nullable())))
                .filter(sessions::id.eq(id))
                .filter(sessions::expires_at.gt(now))
                .filter(users::disabled_at.is_null())
                .select(users::id)
                .first(conn)
                .optional()?,
            Self::Token(id) => api_tokens::table
                .inner_join(users::table.on(api_tokens::user_id.eq(users::id)))
                .filter(api_tokens::id.eq(id))
                .filter(api_tokens::revoked_at.is_null())
                .filter(api_tokens::expires_at.is_null().or(api_tokens::expires_at.gt(now)))
                .filter(users::disabled_at.is_null())
                .select(users::id)
                .first(conn)
                .optional()?,
        };
        Ok(user.is_some())
    }
}

/// Looks, before each part of a long answer but the first, whether its reader is still in. Inside the session's layer.
pub async fn watch(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, WebError> {
    let response = next.call(request).await?.map_into_boxed_body();
    let size = response.response().body().size();
    let is_long = match size {
        BodySize::None => false,
        BodySize::Sized(length) => length > LONG,
        BodySize::Stream => true,
    };
    let app = response.request().app_data::<web::Data<App>>().map(|app| app.get_ref().clone());
    let (Some(app), Some(by), true) = (app, By::of(&response), is_long) else { return Ok(response) };
    Ok(response.map_body(|_, body| {
        let parts = Box::pin(watched(body, app, by));
        match size {
            BodySize::Sized(length) => BoxBody::new(SizedStream::new(length, parts)),
            _ => BoxBody::new(BodyStream::new(parts)),
        }
    }))
}

fn watched(body: BoxBody, app: App, by: By) -> impl Stream<Item = Result<Bytes>> {
    let first: (Pin<Box<BoxBody>>, bool) = (Box::pin(body), true);
    stream::try_unfold(first, move |(mut body, is_first)| {
        let (app, by) = (app.clone(), by.clone());
        async move {
            if !is_first && !app.read(move |conn, app| by.holds(conn, app.clock.now())).await? {
                return Err(Error::NoSession);
            }
            match poll_fn(|context| body.as_mut().poll_next(context)).await {
                None => Ok(None),
                Some(Ok(bytes)) => Ok(Some((bytes, (body, false)))),
                Some(Err(_)) => Err(Error::Internal("an answer broke off".to_owned())),
            }
        }
    })
}
