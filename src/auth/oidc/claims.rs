//! What the provider says of somebody, and what of it can be used here: names that would be taken from a form, an address with whether it was
//! verified, groups.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    fault::{Fault, Flaw},
    provider::{Known, Provider},
    token::Tokens,
};
use crate::auth::accounts::{check_email, check_name};

const LONGEST_NAME: usize = 100;
const LONGEST_LABEL: usize = 200;
/// Of one person; nobody is in more.
const MOST_GROUPS: usize = 1000;

/// Somebody the provider knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Somebody {
    pub issuer: String,
    pub subject: String,
    /// Lower case, and fit to be an address.
    pub email: Option<String>,
    pub email_is_verified: bool,
    /// Fit to be a person's name here.
    pub name: Option<String>,
    pub username: Option<String>,
    pub groups: Vec<String>,
}

impl Somebody {
    /// What its owner knows the identity by.
    pub fn label(&self) -> String {
        let told = self.email.as_ref().or(self.username.as_ref()).or(self.name.as_ref()).unwrap_or(&self.subject);
        clean(told, LONGEST_LABEL).unwrap_or_default()
    }

    /// The address if the provider stands for it.
    pub fn verified_email(&self) -> Option<&str> {
        self.email.as_deref().filter(|_| self.email_is_verified)
    }

    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|one| one == group)
    }
}

/// The claims of the ID token, and of userinfo where something is missing in it.
pub async fn read(provider: &Provider, known: &Known, tokens: &Tokens, token: Value) -> Result<Somebody, Fault> {
    let subject = text(&token, "sub").ok_or(Fault::Token(Flaw::Subject))?;
    let more = match &known.document.userinfo_endpoint {
        Some(address) if is_wanting(provider, &token) => {
            let answer = provider.wire.get(address, Some(&tokens.access_token)).await?;
            if !answer.status.is_success() {
                return Err(Fault::Status(answer.status.as_u16()));
            }
            // Another subject is another person, whoever mixed them up.
            if text(&answer.body, "sub").as_ref() != Some(&subject) {
                return Err(Fault::Token(Flaw::Subject));
            }
            answer.body
        }
        _ => Value::Null,
    };
    let (email, email_is_verified) = email(&token, &more);
    let either = |name: &str| text(&token, name).or_else(|| text(&more, name));
    let groups = claim(&token, &provider.settings.groups_claim).or_else(|| claim(&more, &provider.settings.groups_claim));
    Ok(Somebody {
        issuer: known.document.issuer.clone(),
        subject,
        email,
        email_is_verified,
        name: name(&either),
        username: either("preferred_username").or_else(|| either("nickname")),
        groups: groups.map(group_names).unwrap_or_default(),
    })
}

fn is_wanting(provider: &Provider, token: &Value) -> bool {
    let has = |name: &str| token.get(name).is_some();
    let has_groups = claim(token, &provider.settings.groups_claim).is_some();
    !has("email")
        || !has("email_verified")
        || !has("name")
        || !has("preferred_username")
        || (provider.settings.asks_for_groups() && !has_groups)
}

/// A text, if there is one and it is not empty.
fn text(claims: &Value, name: &str) -> Option<String> {
    claims.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The address, and whether the same source says that it is verified.
fn email(token: &Value, more: &Value) -> (Option<String>, bool) {
    let fit = |claims: &Value| text(claims, "email").map(|email| email.to_lowercase()).filter(|email| check_email(email).is_empty());
    let is_verified = |claims: &Value| claims.get("email_verified").is_some_and(|told| told == &Value::Bool(true) || told == "true");
    match (fit(token), fit(more)) {
        (Some(email), other) => {
            let told = token.get("email_verified").is_some();
            let is_verified = if told { is_verified(token) } else { other.as_ref() == Some(&email) && is_verified(more) };
            (Some(email), is_verified)
        }
        (None, Some(email)) => (Some(email), is_verified(more)),
        (None, None) => (None, false),
    }
}

fn name(either: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let parts = || {
        let parts: Vec<String> = ["given_name", "family_name"].into_iter().filter_map(either).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    let told = either("name").or_else(parts)?;
    clean(&told, LONGEST_NAME).filter(|name| check_name(name).is_empty())
}

/// In one line, without what no form would take, and no longer than that.
fn clean(text: &str, most: usize) -> Option<String> {
    let line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(most).collect();
    Some(cut.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A claim of that name, or the one that a path with points leads to (`realm_access.roles`).
fn claim<'a>(claims: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(path) {
        return Some(found);
    }
    path.split('.').try_fold(claims, |within, part| within.get(part))
}

/// A list, or one name alone.
fn group_names(told: &Value) -> Vec<String> {
    match told {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).take(MOST_GROUPS).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_address_is_verified_by_who_told_it() {
        let verified = |token: Value, more: Value| email(&token, &more);
        let both = |text: &str, is: bool| (Some(text.to_owned()), is);
        assert_eq!(verified(json!({"email": "A@x.org", "email_verified": true}), Value::Null), both("a@x.org", true));
        assert_eq!(verified(json!({"email": "a@x.org"}), Value::Null), both("a@x.org", false));
        assert_eq!(verified(json!({"email": "a@x.org"}), json!({"email": "a@x.org", "email_verified": true})), both("a@x.org", true));
        assert_eq!(verified(json!({"email": "a@x.org"}), json!({"email": "b@x.org", "email_verified": true})), both("a@x.org", false));
        assert_eq!(verified(json!({}), json!({"email": "b@x.org", "email_verified": "true"})), both("b@x.org", true));
        assert_eq!(
            verified(json!({"email": "a@x.org", "email_verified": false}), json!({"email": "a@x.org", "email_verified": true})),
            both("a@x.org", false)
        );
        assert_eq!(verified(json!({"email": "no address", "email_verified": true}), Value::Null), (None, false));
        for wrong in [json!(1), json!("yes"), json!([true]), Value::Null] {
            assert!(!verified(json!({"email": "a@x.org", "email_verified": wrong}), Value::Null).1, "{wrong}");
        }
    }

    #[test]
    fn names_come_in_one_line_and_no_longer_than_a_form_takes() {
        let told = |claims: Value| name(&move |field: &str| text(&claims, field));
        assert_eq!(told(json!({"name": " Ada\n\u{0}Lovelace "})).as_deref(), Some("Ada Lovelace"));
        assert_eq!(told(json!({"given_name": "Ada", "family_name": "Lovelace"})).as_deref(), Some("Ada Lovelace"));
        assert_eq!(told(json!({"name": "x".repeat(5000)})).unwrap().len(), 100);
        assert_eq!(told(json!({"name": "\u{1}"})), None);
        assert_eq!(told(json!({"name": 7})), None);
    }

    #[test]
    fn groups_are_found_by_name_and_by_path() {
        let claims = json!({"realm_access": {"roles": ["a", 1, "b"]}, "https://x.org/groups": "one", "g": {"x": 1}});
        let names = |path: &str| claim(&claims, path).map(group_names);
        assert_eq!(names("realm_access.roles"), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(names("https://x.org/groups"), Some(vec!["one".to_owned()]));
        assert_eq!(names("g"), Some(vec![]));
        assert_eq!(names("groups"), None);
    }
}
