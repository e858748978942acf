//! Signing out here and there, and what is kept of the provider's tokens.

use diesel::prelude::*;
use kinchart::db::schema::{sessions, sign_in_steps};
use serde_json::{Value, json};

use super::{
    house::{House, Trip, kept},
    server::ACCESS_TOKEN,
};
use crate::common::log::lines_with;

#[actix_web::test]
async fn signing_out_here_leads_to_signing_out_there() {
    let house = House::new().await;
    house.is("subject-1", "mia@example.org");
    let (answer, cookies) = house.sign_in().await;
    assert_eq!(answer.location(), "/");
    let answer = house.browser(&cookies).post("/logout", &[]).await.is(200);
    let out = Trip::of(&answer, &cookies);
    assert_eq!(out.address.path(), "/end");
    assert_eq!(out.query("post_logout_redirect_uri"), "http://localhost:8080/login/provider/out");
    assert_eq!(out.query("client_id"), "kinchart");
    assert_eq!(out.query("id_token_hint").split('.').count(), 3);
    assert!(house.who(&cookies).await.is_none(), "here it is over at once");
    let back = format!("/login/provider/out?state={}", out.query("state"));
    let elsewhere = house.browser("").get(&back).await;
    assert_eq!(elsewhere.location(), "/login", "who did not go from here is told nothing");
    let told = house.browser(&out.cookies).get(&back).await.location();
    house.browser("").get(&told).await.is(200).says("signed out here and at Home ID");
    assert_eq!(house.browser(&out.cookies).get(&back).await.location(), "/login", "once");
}

#[actix_web::test]
async fn a_provider_without_a_way_out_or_gone_holds_nobody() {
    let house = House::new().await;
    house.provider.state().document.insert("end_session_endpoint".into(), Value::Null);
    house.is("subject-1", "mia@example.org");
    let cookies = house.sign_in().await.1;
    assert_eq!(house.browser(&cookies).post("/logout", &[]).await.location(), "/login");
    assert!(house.who(&cookies).await.is_none());
    let house = House::new().await;
    house.is("subject-1", "mia@example.org");
    // On a device that is remembered, days after the provider was heard of last.
    let trip = house.set_out_with("", &[("remember", "true")]).await;
    let cookies = kept(&trip.cookies, &house.come_back(&trip).await);
    house.provider.stop();
    house.t.later(chrono::Duration::days(3));
    assert!(house.who(&cookies).await.is_some());
    assert_eq!(house.browser(&cookies).post("/logout", &[]).await.location(), "/login");
    assert!(house.who(&cookies).await.is_none());
}

#[actix_web::test]
async fn of_its_tokens_one_is_kept_sealed_and_goes_with_the_session() {
    let house = House::new().await;
    house.is("subject-1", "mia@example.org");
    house.claim("email", Value::Null);
    house.provider.state().userinfo = json!({"email": "mia@example.org", "email_verified": true});
    let (answer, cookies) = house.sign_in().await;
    assert_eq!(answer.location(), "/");
    let all = || {
        house
            .t
            .app
            .db
            .read(|conn| {
                let kept: Vec<(String, Option<String>)> =
                    sessions::table.filter(sessions::way.eq("provider")).select((sessions::state, sessions::id_token)).load(conn)?;
                let steps: i64 = sign_in_steps::table.count().get_result(conn)?;
                Ok((kept, steps))
            })
            .unwrap()
    };
    let (kept_now, steps) = all();
    assert_eq!((kept_now.len(), steps), (1, 0));
    let (state, id_token) = kept_now[0].clone();
    let id_token = id_token.unwrap();
    assert!(!id_token.contains("eyJ") && id_token.starts_with("1."), "sealed");
    assert!(!state.contains("eyJ") && !state.contains(ACCESS_TOKEN));
    assert_eq!(house.provider.state().seen.iter().filter(|seen| seen.authorization.contains(ACCESS_TOKEN)).count(), 1, "userinfo only");
    house.browser(&cookies).post("/logout", &[]).await.is(200);
    assert!(all().0.is_empty());
    for canary in [ACCESS_TOKEN, "code-canary", "eyJ"] {
        assert!(lines_with(canary).is_empty(), "{canary} is in the log");
    }
    // The address of the callback holds a code: pages say nothing of it to others.
    let trip = house.set_out().await;
    let answer = house.come_back(&trip).await;
    assert_eq!(answer.header("referrer-policy").as_deref(), Some("no-referrer"));
}
