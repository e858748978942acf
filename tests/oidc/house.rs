//! A Kinchart with a provider, and what somebody's browser does between the two.

use kinchart::config::{Config, Password};
use serde_json::{Value, json};

use super::server::{ACCESS_TOKEN, CLIENT, Provider, SECRET};
use crate::common::{Answer, Person, TestApp};

pub struct House {
    pub t: TestApp,
    pub provider: Provider,
}

/// Somebody on the way to the provider.
#[derive(Clone)]
pub struct Trip {
    pub address: url::Url,
    /// All cookies of the browser.
    pub cookies: String,
}

impl Trip {
    pub fn of(answer: &Answer, before: &str) -> Self {
        let nodes = answer.nodes();
        let refresh = nodes.iter().find(|node| node.attr("http-equiv") == Some("refresh")).expect("a page that leads on");
        let address = refresh.attr("content").unwrap().strip_prefix("0; url=").unwrap();
        Self { address: address.parse().unwrap(), cookies: kept(before, answer) }
    }
    pub fn query(&self, name: &str) -> String {
        self.address.query_pairs().find(|(one, _)| one == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    }
}

/// The cookies a browser has after an answer.
pub fn kept(before: &str, answer: &Answer) -> String {
    let mut all: Vec<(String, String)> =
        before.split("; ").filter_map(|one| one.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for set in answer.headers.get_all("set-cookie") {
        let text = set.to_str().unwrap();
        let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
        all.retain(|(one, _)| one != name);
        if !text.contains("Max-Age=0") && !value.is_empty() {
            all.push((name.to_owned(), value.to_owned()));
        }
    }
    all.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

impl House {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Open for whom the provider knows, unless the test says otherwise.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let provider = Provider::start(0);
        let issuer = provider.issuer();
        let t = TestApp::with(|config| {
            settings(config, &issuer);
            change(config);
        })
        .await;
        // There is an account, or the setup would come first.
        t.admin("root");
        for secret in [ACCESS_TOKEN, SECRET, "code-canary-"] {
            crate::common::log::never(secret);
        }
        let house = Self { t, provider };
        house.provider.state().now = house.now();
        house
    }

    pub fn now(&self) -> i64 {
        self.t.now().and_utc().timestamp()
    }

    pub fn browser(&self, cookies: &str) -> Person {
        self.t.anon().with_cookie((!cookies.is_empty()).then(|| cookies.to_owned()))
    }

    pub async fn set_out(&self) -> Trip {
        self.set_out_with("", &[]).await
    }

    pub async fn set_out_with(&self, cookies: &str, form: &[(&str, &str)]) -> Trip {
        let answer = self.browser(cookies).post("/login/provider", form).await.is(200);
        Trip::of(&answer, cookies)
    }

    /// The address to come back to, with a code for who set out.
    pub fn back(&self, trip: &Trip) -> String {
        let code = self.provider.code(&trip.query("nonce"), &trip.query("code_challenge"));
        format!("/login/provider/callback?code={code}&state={}", trip.query("state"))
    }

    pub async fn come_back(&self, trip: &Trip) -> Answer {
        self.browser(&trip.cookies).get(&self.back(trip)).await
    }

    /// Signs in by way of the provider: the answer, and what the browser has then.
    pub async fn sign_in(&self) -> (Answer, String) {
        let trip = self.set_out().await;
        let answer = self.come_back(&trip).await;
        let cookies = kept(&trip.cookies, &answer);
        (answer, cookies)
    }

    /// The user name of who is signed in in that browser.
    pub async fn who(&self, cookies: &str) -> Option<String> {
        let answer = self.browser(cookies).get("/settings").await;
        if answer.status != 200 {
            return None;
        }
        let nodes = answer.nodes();
        let link = nodes.iter().position(|node| node.attr("href") == Some("/settings")).unwrap();
        match &nodes[link + 1] {
            crate::common::html::Node::Text(name) => Some(name.clone()),
            other => panic!("{other:?}"),
        }
    }

    /// Somebody with a verified address.
    pub fn is(&self, subject: &str, email: &str) {
        let username = email.split('@').next().unwrap();
        self.provider.is(
            subject,
            json!({"email": email, "email_verified": true, "name": format!("{username} Weber"), "preferred_username": username}),
        );
    }
    pub fn claim(&self, name: &str, value: Value) {
        self.provider.state().claims.insert(name.to_owned(), value);
    }

    /// Words of the audit: action and detail, newest last.
    pub fn audit(&self) -> Vec<(String, String)> {
        use diesel::prelude::*;
        use kinchart::db::schema::audit_events;
        self.t
            .app
            .db
            .read(|conn| {
                let rows: Vec<(String, Option<String>)> = audit_events::table
                    .order((audit_events::at, audit_events::id))
                    .select((audit_events::action, audit_events::detail))
                    .load(conn)?;
                Ok(rows.into_iter().map(|(action, detail)| (action, detail.unwrap_or_default())).collect())
            })
            .unwrap()
    }
    pub fn last_of_audit(&self) -> (String, String) {
        self.audit().pop().unwrap_or_default()
    }

    pub fn accounts(&self) -> Vec<kinchart::auth::accounts::Account> {
        self.t.app.db.read(kinchart::auth::accounts::all).unwrap()
    }
    pub fn account(&self, username: &str) -> kinchart::auth::accounts::Account {
        self.accounts().into_iter().find(|account| account.username == username).unwrap_or_else(|| panic!("no account {username}"))
    }
}

pub fn settings(config: &mut Config, issuer: &str) {
    config.oidc.issuer = Some(issuer.parse().unwrap());
    config.oidc.client_id = Some(CLIENT.to_owned());
    config.oidc.client_secret = Some(Password(SECRET.to_owned()));
    config.oidc.signup = Some(kinchart::config::Signup::Open);
    config.oidc.name = Some("Home ID".to_owned());
    config.oidc.patience = std::time::Duration::from_millis(1500);
}
