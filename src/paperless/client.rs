//! Who asks whom: a server's address and a person's token.

use std::fmt;

use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Address, Network, Right, Token,
    call::{Answer, Call, Sent, VERSION_9},
    fault::{Fault, Instead},
};

/// Names and ids are few, and a page of them is small.
const PAGE_SIZE: &str = "500";
/// More pages than anybody has; a server that always tells of another one is not followed for ever.
const MOST_PAGES: u32 = 400;

/// A document in Paperless-ngx. An id is not used again while the document lies in the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DocumentId(pub i64);

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an upload answers with: the number under which it can be asked what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub String);

/// One person's Paperless-ngx. Cheap to make; the connections are the network's.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) network: Network,
    pub(super) address: Address,
    pub(super) token: Token,
}

impl Client {
    /// Refuses a host given as an address that may not be connected to. A name is looked up, and refused, by each call.
    pub fn new(network: &Network, address: Address, token: Token) -> Result<Self, Fault> {
        reachable(network, &address)?;
        Ok(Self { network: network.clone(), address, token })
    }

    /// Exchanges name and password for a token, with the code of a second factor if `Fault::CodeWanted` asked for one. 3.x takes five attempts a
    /// minute, successful ones included: `Fault::Throttled` tells how long to wait.
    pub fn sign_in(network: &Network, address: &Address, name: &str, password: &str, code: Option<&str>) -> Result<Token, Fault> {
        reachable(network, address)?;
        let mut fields = vec![("username", name), ("password", password)];
        fields.extend(code.map(|code| ("code", code)));
        let form = serde_urlencoded::to_string(fields).map_err(|_| Fault::SignIn)?;
        let answer = network.ask(Call {
            method: Method::POST,
            url: address.page("api/token/", &[]),
            token: None,
            accept: VERSION_9,
            body: Sent::Form(form),
            right: Right::ViewSettings,
        })?;
        if answer.is_refusal() {
            return Err(refused(&answer, code.is_some()));
        }
        let answer = answer.json()?;
        answer.get("token").and_then(Value::as_str).and_then(Token::parse).ok_or(Fault::NotPaperless(Instead::Other))
    }

    pub(super) fn get(&self, path: &str, query: &[(&str, &str)], right: Right) -> Result<Answer, Fault> {
        self.network.ask(self.call(Method::GET, self.address.page(path, query), Sent::Nothing, right))
    }

    pub(super) fn post(&self, path: &str, body: Value, right: Right) -> Result<Answer, Fault> {
        self.network.ask(self.call(Method::POST, self.address.page(path, &[]), Sent::Json(body), right))
    }

    pub(super) fn patch(&self, path: &str, query: &[(&str, &str)], body: Value) -> Result<Answer, Fault> {
        self.network.ask(self.call(Method::PATCH, self.address.page(path, query), Sent::Json(body), Right::ChangeDocument))
    }

    pub(super) fn call(&self, method: Method, url: Url, body: Sent, right: Right) -> Call<'_> {
        Call { method, url, token: Some(&self.token), accept: VERSION_9, body, right }
    }

    /// The rows of all pages of a list, as long as `wanted` asks for more. The address of the next page is not taken from the answer: it is as
    /// the server sees itself, which may be another host.
    pub(super) fn rows(
        &self,
        path: &str,
        query: &[(&str, &str)],
        right: Right,
        mut wanted: impl FnMut(Vec<Value>) -> bool,
    ) -> Result<(), Fault> {
        for page in 1..=MOST_PAGES {
            let number = page.to_string();
            let query = [query, &[("page_size", PAGE_SIZE), ("page", &number)]].concat();
            let answer = self.get(path, &query, right)?;
            if page > 1 && matches!(answer.check(), Err(Fault::NotFound)) {
                return Ok(());
            }
            let mut answer = answer.json()?;
            let rows = answer.get_mut("results").and_then(Value::as_array_mut).map(std::mem::take).ok_or(Fault::NotUnderstood)?;
            let last = rows.is_empty() || answer.get("next").is_none_or(Value::is_null);
            if !wanted(rows) || last {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn reachable(network: &Network, address: &Address) -> Result<(), Fault> {
    address.check(network.guard).map_err(Fault::from)
}

/// The one place where words are matched: nothing else tells a missing code from a wrong password. We ask in English.
fn refused(answer: &Answer, had_code: bool) -> Fault {
    match answer.refusal_says("non_field_errors", "MFA") {
        true if had_code => Fault::CodeRefused,
        true => Fault::CodeWanted,
        false => Fault::SignIn,
    }
}
