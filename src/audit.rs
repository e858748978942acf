//! Who did what, when, from where: no medical content, no foreign keys, in the transaction of the change.
//!
//! Reads are gathered and written in batches by a thread of their own, so that looking at a page waits for no disk. What is written is sealed a
//! minute later ([`seal`]), of which the data folder is told ([`head`]) and which [`verify`] proves; what is old enough goes ([`prune`]).

mod guards;
pub mod head;
mod lines;
pub mod pages;
pub mod prune;
pub mod query;
pub mod seal;
pub(crate) mod table;
pub mod verify;

use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDateTime;
use diesel::{Insertable, QueryResult, Queryable, RunQueryDsl, Selectable};

use crate::{
    access::Actor,
    db::{
        Db, MultiBackend, Tx,
        schema::audit_events,
        types::{PatientId, RecordId},
    },
    error::Result,
};

/// What happened, as a word of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    SignedIn,
    SignInFailed,
    SignedOut,
    SecondFactorAsked,
    SecondFactorFailed,
    Confirmed,
    ConfirmFailed,
    FactorAdded,
    FactorRemoved,
    FactorsReset,
    RecoveryCodesMade,
    PasswordChanged,
    AccountCreated,
    AccountChanged,
    TokenCreated,
    TokenRevoked,
    TokenUsed,
    TokenRefused,
    Created,
    Changed,
    Deleted,
    Restored,
    Purged,
    Filed,
    Read,
    Listed,
    Searched,
    Downloaded,
    Printed,
    Imported,
    Shared,
    ShareChanged,
    ShareEnded,
    Invited,
    InvitationAnswered,
    OwnershipGiven,
    HouseholdChanged,
    LinkMade,
    LinkOpened,
    LinkRefused,
    LinkRevoked,
    KeyShown,
    KeyKept,
    KeyChanged,
    IdentityLinked,
    IdentityUnlinked,
    RoleFollowed,
    SignInLinkMade,
    AuditPruned,
    AuditAccepted,
    AccountDisabled,
    AccountEnabled,
    AccountRemovalBegun,
    AccountRemovalCalledOff,
    AccountRemoved,
    RoleChanged,
    ResetLinkMade,
    PasswordReset,
    AddressAsked,
    AddressChanged,
    AddressRestored,
    SessionsEnded,
    PolicyChanged,
    EntryPublished,
    EntryWithdrawn,
    JobRetried,
    MailTested,
    ProviderTested,
    RemovalAnswered,
}

impl Action {
    pub fn word(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::SignInFailed => "sign_in_failed",
            Self::SignedOut => "signed_out",
            Self::SecondFactorAsked => "second_factor_asked",
            Self::SecondFactorFailed => "second_factor_failed",
            Self::Confirmed => "confirmed",
            Self::ConfirmFailed => "confirm_failed",
            Self::FactorAdded => "factor_added",
            Self::FactorRemoved => "factor_removed",
            Self::FactorsReset => "factors_reset",
            Self::RecoveryCodesMade => "recovery_codes_made",
            Self::PasswordChanged => "password_changed",
            Self::AccountCreated => "account_created",
            Self::AccountChanged => "account_changed",
            Self::TokenCreated => "token_created",
            Self::TokenRevoked => "token_revoked",
            Self::TokenUsed => "token_used",
            Self::TokenRefused => "token_refused",
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
            Self::Purged => "purged",
            Self::Filed => "filed",
            Self::Read => "read",
            Self::Listed => "listed",
            Self::Searched => "searched",
            Self::Downloaded => "downloaded",
            Self::Printed => "printed",
            Self::Imported => "imported",
            Self::Shared => "shared",
            Self::ShareChanged => "share_changed",
            Self::ShareEnded => "share_ended",
            Self::Invited => "invited",
            Self::InvitationAnswered => "invitation_answered",
            Self::OwnershipGiven => "ownership_given",
            Self::HouseholdChanged => "household_changed",
            Self::LinkMade => "link_made",
            Self::LinkOpened => "link_opened",
            Self::LinkRefused => "link_refused",
            Self::LinkRevoked => "link_revoked",
            Self::KeyShown => "key_shown",
            Self::KeyKept => "key_kept",
            Self::KeyChanged => "key_changed",
            Self::IdentityLinked => "identity_linked",
            Self::IdentityUnlinked => "identity_unlinked",
            Self::RoleFollowed => "role_followed",
            Self::SignInLinkMade => "sign_in_link_made",
            Self::AuditPruned => "audit_pruned",
            Self::AuditAccepted => "audit_accepted",
            Self::AccountDisabled => "account_disabled",
            Self::AccountEnabled => "account_enabled",
            Self::AccountRemovalBegun => "account_removal_begun",
            Self::AccountRemovalCalledOff => "account_removal_called_off",
            Self::AccountRemoved => "account_removed",
            Self::RoleChanged => "role_changed",
            Self::ResetLinkMade => "reset_link_made",
            Self::PasswordReset => "password_reset",
            Self::AddressAsked => "address_asked",
            Self::AddressChanged => "address_changed",
            Self::AddressRestored => "address_restored",
            Self::SessionsEnded => "sessions_ended",
            Self::PolicyChanged => "policy_changed",
            Self::EntryPublished => "entry_published",
            Self::EntryWithdrawn => "entry_withdrawn",
            Self::JobRetried => "job_retried",
            Self::MailTested => "mail_tested",
            Self::ProviderTested => "provider_tested",
            Self::RemovalAnswered => "removal_answered",
        }
    }
}

/// One line of the audit. `detail` is a word of the program (a reason of failure), never something a person typed.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_events, check_for_backend(MultiBackend), treat_none_as_default_value = false)]
pub struct Event {
    pub id: String,
    pub at: NaiveDateTime,
    pub actor: String,
    pub actor_name: String,
    pub action: String,
    pub patient_id: Option<String>,
    pub record_id: Option<String>,
    pub kind: Option<String>,
    pub version: Option<i32>,
    pub address: Option<String>,
    pub session_id: Option<String>,
    pub success: bool,
    pub detail: Option<String>,
}

impl Event {
    pub fn new(actor: &Actor, action: Action, at: NaiveDateTime) -> Self {
        Self {
            actor: actor.key(),
            actor_name: actor.name.clone(),
            address: actor.address.clone(),
            session_id: actor.session_id(),
            ..Self::by_the_program(action, at)
        }
    }
    /// Another event of the same moment, by the same person from the same place.
    pub fn beside(&self, action: Action) -> Self {
        Self {
            actor: self.actor.clone(),
            actor_name: self.actor_name.clone(),
            address: self.address.clone(),
            session_id: self.session_id.clone(),
            ..Self::by_the_program(action, self.at)
        }
    }
    /// An event nobody caused: a job's.
    pub fn by_the_program(action: Action, at: NaiveDateTime) -> Self {
        Self {
            id: uuid::Uuid::now_v7().to_string(),
            at,
            actor: "program".to_owned(),
            actor_name: "Kinchart".to_owned(),
            action: action.word().to_owned(),
            patient_id: None,
            record_id: None,
            kind: None,
            version: None,
            address: None,
            session_id: None,
            success: true,
            detail: None,
        }
    }
    /// In that session, for who has no [`Actor`] yet.
    pub fn of_session(mut self, session: &str) -> Self {
        self.session_id = Some(session.to_owned());
        self
    }
    pub fn patient(mut self, patient: &PatientId) -> Self {
        self.patient_id = Some(patient.to_string());
        self
    }
    pub fn record(mut self, kind: &str, record: &RecordId, version: i32) -> Self {
        self.kind = Some(kind.to_owned());
        self.record_id = Some(record.to_string());
        self.version = Some(version);
        self
    }
    pub fn kind(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }
    pub fn failed(mut self, detail: &'static str) -> Self {
        self.success = false;
        self.detail = Some(detail.to_owned());
        self
    }
    pub fn write(self, tx: &mut Tx<'_>) -> QueryResult<()> {
        diesel::insert_into(audit_events::table).values(&self).execute(&mut **tx).map(drop)
    }
}

/// Reads waiting to be written. Kept small: a flush is due every second and at shutdown.
#[derive(Clone, Default)]
pub struct ReadLog {
    waiting: Arc<Mutex<Vec<Event>>>,
}

impl ReadLog {
    pub fn note(&self, event: Event) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
    /// Writes what waits, in one transaction; on failure it goes on waiting.
    pub fn flush(&self, db: &Db) -> Result<usize> {
        let batch = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if batch.is_empty() {
            return Ok(0);
        }
        let written = db.write(|tx| {
            for event in &batch {
                diesel::insert_into(audit_events::table).values(event).execute(&mut **tx)?;
            }
            Ok(batch.len())
        });
        if written.is_err() {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).extend(batch);
        }
        written
    }
}
