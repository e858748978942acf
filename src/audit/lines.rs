//! Events in words: for the person whose account it is, and for administrators, who are told neither of whom nor of what.

use std::collections::HashMap;

use diesel::prelude::*;

use super::{Action, Event};
use crate::{
    db::{
        Conn,
        schema::{api_tokens, audit_events, sessions, users},
        sql::among,
        types::{TokenId, UserId},
    },
    error::Result,
    looks,
    page::Ui,
    records,
    settings::sessions::device,
};

/// The kinds of event that can be asked for, as words of the address: each action in one of them.
pub const GROUPS: &[(&str, &[Action])] = &[
    (
        "signed_in",
        &[
            Action::SignedIn,
            Action::SignInFailed,
            Action::SignedOut,
            Action::SecondFactorAsked,
            Action::SecondFactorFailed,
            Action::Confirmed,
            Action::ConfirmFailed,
            Action::SessionsEnded,
            Action::SignInLinkMade,
            Action::TokenUsed,
            Action::TokenRefused,
        ],
    ),
    (
        "account",
        &[
            Action::AccountCreated,
            Action::AccountChanged,
            Action::AccountDisabled,
            Action::AccountEnabled,
            Action::AccountRemovalBegun,
            Action::AccountRemovalCalledOff,
            Action::AccountRemoved,
            Action::RemovalAnswered,
            Action::RoleChanged,
            Action::RoleFollowed,
            Action::PasswordChanged,
            Action::PasswordReset,
            Action::ResetLinkMade,
            Action::AddressAsked,
            Action::AddressChanged,
            Action::AddressRestored,
            Action::FactorAdded,
            Action::FactorRemoved,
            Action::FactorsReset,
            Action::RecoveryCodesMade,
            Action::IdentityLinked,
            Action::IdentityUnlinked,
            Action::TokenCreated,
            Action::TokenRevoked,
            Action::HouseholdChanged,
        ],
    ),
    ("looked", looks::LOOKED),
    ("changed", looks::CHANGED),
    ("shared", looks::SHARED),
    ("downloaded", looks::DOWNLOADED),
    ("link", looks::LINK),
    (
        INSTALLATION,
        &[
            Action::KeyShown,
            Action::KeyKept,
            Action::KeyChanged,
            Action::PolicyChanged,
            Action::EntryPublished,
            Action::EntryWithdrawn,
            Action::JobRetried,
            Action::MailTested,
            Action::ProviderTested,
            Action::AuditPruned,
            Action::AuditAccepted,
        ],
    ),
];
/// The group that is of no person.
pub const INSTALLATION: &str = "installation";

pub fn group(word: &str) -> Option<&'static [Action]> {
    GROUPS.iter().find(|(known, _)| *known == word).map(|(_, actions)| *actions)
}

/// The group an event is in.
fn group_of(event: &Event) -> Option<&'static str> {
    GROUPS.iter().find(|(_, actions)| actions.iter().any(|action| action.word() == event.action)).map(|(word, _)| *word)
}

/// What ids are called, for who may know it.
pub struct Told {
    /// Whose page it is; nobody's for administrators.
    pub me: String,
    pub patients: HashMap<String, String>,
    /// Sessions and tokens of that person.
    pub devices: HashMap<String, String>,
    /// Accounts that events are about.
    pub accounts: HashMap<String, String>,
}

pub struct Day {
    pub day: String,
    pub lines: Vec<Line>,
}

pub struct Line {
    pub time: String,
    pub who: String,
    pub did: String,
    /// Where it leads, and its name; no address where there is no page.
    pub what: Option<(String, String)>,
    pub from: String,
    pub failed: bool,
}

/// A day after the other, as the events come.
pub fn days(ui: &Ui, events: &[Event], line: impl Fn(&Ui, &Event) -> Line) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for event in events {
        let day = ui.day(&event.at.date().to_string());
        if days.last().is_none_or(|last| last.day != day) {
            days.push(Day { day, lines: Vec::new() });
        }
        if let Some(day) = days.last_mut() {
            day.lines.push(line(ui, event));
        }
    }
    days
}

fn from(event: &Event, device: Option<&String>) -> String {
    [event.address.as_ref(), device].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" · ")
}

fn device_of<'a>(told: &'a Told, event: &Event) -> Option<&'a String> {
    told.devices.get(event.session_id.as_ref()?)
}

/// What an actor is called.
pub fn name(ui: &Ui, actor: &str, name: &str) -> String {
    match actor {
        "unknown" => ui.t("audit.unknown"),
        "command" => ui.t("audit.command"),
        _ if actor.starts_with("link:") => ui.t("audit.by_link"),
        _ => name.to_owned(),
    }
}

/// A line of a person's own page.
pub fn own(ui: &Ui, told: &Told, event: &Event) -> Line {
    let patient = event.patient_id.as_ref();
    let what = patient.map(|id| match told.patients.get(id) {
        Some(name) => (format!("/patients/{id}"), name.clone()),
        None => (String::new(), ui.t("audit.somebody")),
    });
    let what = what.or_else(|| of_whom(ui, told, event).map(|name| (String::new(), name)));
    Line {
        time: event.at.format("%H:%M").to_string(),
        who: name(ui, &event.actor, &event.actor_name),
        did: looks::did(ui, event),
        what,
        // Somebody else's address is theirs, unless they came for this account.
        from: if event.actor == told.me { from(event, device_of(told, event)) } else { String::new() },
        failed: !event.success,
    }
}

/// Whose account it was, on a person's own page: theirs, where another did it, or another's, where they did.
fn of_whom(ui: &Ui, told: &Told, event: &Event) -> Option<String> {
    if event.actor == told.me {
        account(told, event).cloned()
    } else {
        (event.detail.as_deref() == Some(told.me.as_str())).then(|| ui.t("audit.your_account"))
    }
}

pub const OWN_COLUMNS: [&str; 13] =
    ["at", "who", "action", "what", "patient", "kind", "record_id", "version", "address", "device", "success", "reason", "about"];

pub fn own_row(ui: &Ui, told: &Told, event: &Event) -> [String; 13] {
    let is_own = event.actor == told.me;
    let patient = event.patient_id.as_ref().map(|id| told.patients.get(id).cloned().unwrap_or_else(|| ui.t("audit.somebody")));
    [
        moment(event),
        name(ui, &event.actor, &event.actor_name),
        event.action.clone(),
        looks::did(ui, event),
        patient.unwrap_or_default(),
        event.kind.clone().unwrap_or_default(),
        event.record_id.clone().unwrap_or_default(),
        event.version.map(|version| version.to_string()).unwrap_or_default(),
        event.address.clone().filter(|_| is_own).unwrap_or_default(),
        device_of(told, event).cloned().unwrap_or_default(),
        event.success.to_string(),
        reason(event),
        of_whom(ui, told, event).unwrap_or_default(),
    ]
}

/// In UTC, to the second.
fn moment(event: &Event) -> String {
    event.at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Why it failed, as a word of the program.
fn reason(event: &Event) -> String {
    event.detail.clone().filter(|_| !event.success).unwrap_or_default()
}

/// Does it tell of somebody's records? Then administrators learn that, and nothing more.
fn is_of_records(event: &Event) -> bool {
    event.patient_id.is_some() || event.record_id.is_some() || event.kind.as_deref().is_some_and(|kind| records::kind(kind).is_some())
}

/// What administrators are told was done.
fn done(ui: &Ui, event: &Event) -> String {
    if is_of_records(event) { ui.t2("audit.did", group_of(event).unwrap_or("other")) } else { looks::did(ui, event) }
}

fn account<'a>(told: &'a Told, event: &Event) -> Option<&'a String> {
    let about = event.detail.as_ref().filter(|_| !is_of_records(event));
    told.accounts.get(about?).filter(|_| event.detail.as_deref() != Some(&event.actor))
}

/// A line of the installation's page.
pub fn installation(ui: &Ui, told: &Told, event: &Event) -> Line {
    Line {
        time: event.at.format("%H:%M").to_string(),
        who: name(ui, &event.actor, &event.actor_name),
        did: done(ui, event),
        what: account(told, event).map(|name| (String::new(), name.clone())),
        from: from(event, None),
        failed: !event.success,
    }
}

pub const ALL_COLUMNS: [&str; 10] = ["at", "who", "account", "action", "what", "about", "address", "session", "success", "reason"];

pub fn installation_row(ui: &Ui, told: &Told, event: &Event) -> [String; 10] {
    let action = if is_of_records(event) { group_of(event).unwrap_or("other").to_owned() } else { event.action.clone() };
    // The name of a link is in the words of whoever made it.
    let is_link = event.actor.starts_with("link:");
    [
        moment(event),
        name(ui, &event.actor, &event.actor_name),
        if is_link { "link".to_owned() } else { event.actor.clone() },
        action,
        done(ui, event),
        account(told, event).cloned().unwrap_or_default(),
        event.address.clone().unwrap_or_default(),
        event.session_id.clone().filter(|_| !is_link).unwrap_or_default(),
        event.success.to_string(),
        reason(event),
    ]
}

/// What somebody's sessions and tokens are called; of sessions that are over nobody knows it any more.
pub fn devices(conn: &mut Conn, user: &UserId) -> Result<HashMap<String, String>> {
    let open: Vec<(String, Option<String>)> =
        sessions::table.filter(sessions::user_id.eq(user)).select((sessions::id, sessions::agent)).load(conn)?;
    let tokens: Vec<(TokenId, String)> =
        api_tokens::table.filter(api_tokens::user_id.eq(user)).select((api_tokens::id, api_tokens::name)).load(conn)?;
    let open = open.into_iter().filter_map(|(id, agent)| Some((id, device(&agent?)?)));
    Ok(open.chain(tokens.into_iter().map(|(id, name)| (id.to_string(), name))).collect())
}

/// What is done to an account; other actions have other words in their detail, or other ids.
const ABOUT_ACCOUNTS: &[Action] = &[
    Action::AccountCreated,
    Action::AccountDisabled,
    Action::AccountEnabled,
    Action::RoleChanged,
    Action::ResetLinkMade,
    Action::SignInLinkMade,
    Action::SessionsEnded,
    Action::PasswordChanged,
    Action::FactorsReset,
    Action::AccountRemovalBegun,
    Action::AccountRemovalCalledOff,
    Action::AccountRemoved,
];

/// The names of accounts that events are about.
pub fn accounts(conn: &mut Conn, events: &[Event]) -> Result<HashMap<String, String>> {
    let ids: Vec<&str> = events.iter().filter(|event| !is_of_records(event)).filter_map(|event| event.detail.as_deref()).collect();
    let names: Vec<(UserId, String)> =
        users::table.filter(among(conn, "users.id", &ids)).select((users::id, users::full_name)).load(conn)?;
    let mut names: HashMap<String, String> = names.into_iter().map(|(id, name)| (id.to_string(), name)).collect();
    let is_gone = |event: &&Event| ABOUT_ACCOUNTS.iter().any(|action| action.word() == event.action);
    let gone: Vec<&str> =
        events.iter().filter(is_gone).filter_map(|event| event.detail.as_deref()).filter(|id| !names.contains_key(*id)).collect();
    // An account that is gone keeps the name it acted under, and one that never did its id.
    let acted: Vec<(String, String)> = audit_events::table
        .filter(among(conn, "audit_events.actor", &gone))
        .select((audit_events::actor, audit_events::actor_name))
        .distinct()
        .load(conn)?;
    names.extend(gone.iter().filter(|id| UserId::parse(id).is_some()).map(|id| ((*id).to_owned(), (*id).to_owned())));
    names.extend(acted);
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_in_one_group() {
        let source = include_str!("../audit.rs");
        let words = source.split(" => \"").skip(1).filter_map(|rest| rest.split('"').next());
        let mut count = 0;
        for word in words {
            let groups = GROUPS.iter().filter(|(_, actions)| actions.iter().any(|action| action.word() == word)).count();
            assert_eq!(groups, 1, "{word}");
            count += 1;
        }
        assert!(count > 40, "{count}");
    }

    #[test]
    fn every_action_of_a_group_has_words() {
        let ui = Ui::new(None, "");
        let at = chrono::NaiveDateTime::default();
        for (word, actions) in GROUPS {
            assert_ne!(ui.choice("Looks", word), *word);
            for action in *actions {
                let told = done(&ui, &Event::by_the_program(*action, at));
                assert!(told != ui.t("looks.other") && !told.contains('{'), "{}: {told}", action.word());
                let hidden = done(&ui, &Event::by_the_program(*action, at).kind("medications"));
                assert!(!hidden.to_lowercase().contains("medication") && !hidden.contains("audit."), "{}: {hidden}", action.word());
            }
        }
    }
}
