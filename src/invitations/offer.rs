//! What an invitation gives to who accepts it: told exactly before, given with the authority that its sender has at that moment.

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use super::{Answer, Invitation};
use crate::{
    access::{self, Actor, Full, Own, Via},
    audit::{Action, Event},
    db::{
        Conn, Tx,
        types::{HouseholdId, PatientId, UserId},
    },
    error::{Error, Result},
    family::shares as family,
    households::{self, Role},
    page::Ui,
    sharing::{shares, terms::Terms},
    tags,
};

/// What is offered; kept as JSON in the invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Offer {
    Share {
        patients: Vec<PatientId>,
        terms: Terms,
    },
    Household {
        household: HouseholdId,
        role: String,
    },
    /// To see relatives of a patient, one by one, and nothing else of theirs.
    FamilyHistory(family::Wanted),
    /// To own a patient beside the sender, or in their place.
    Ownership {
        patient: PatientId,
        instead: bool,
    },
}

impl Offer {
    pub fn patients(&self) -> Vec<PatientId> {
        match self {
            Self::Share { patients, .. } => patients.clone(),
            Self::Household { .. } => Vec::new(),
            Self::FamilyHistory(wanted) => vec![wanted.patient.clone()],
            Self::Ownership { patient, .. } => vec![patient.clone()],
        }
    }

    /// The role of an account that is made to accept it: who is shown a patient makes none of their own.
    pub fn role(&self) -> &'static str {
        match self {
            Self::Share { .. } => "guest",
            Self::Household { .. } | Self::FamilyHistory(_) | Self::Ownership { .. } => "user",
        }
    }

    /// May this person offer it? Asked when it is sent, and again with the answer.
    pub fn check(&self, conn: &mut Conn, sender: &Actor, now: NaiveDateTime) -> Result<()> {
        match self {
            Self::Share { patients, terms } => {
                for patient in patients {
                    let access = access::grant::<Full>(conn, sender, patient, now)?;
                    terms.check(&access).map_err(Error::Invalid)?;
                }
                Ok(())
            }
            Self::Household { household, role } => {
                Role::parse(role).ok_or(Error::BadRequest("unknown_role"))?;
                households::must_keep(conn, household, &sender.user)
            }
            Self::FamilyHistory(wanted) => {
                let access = access::grant::<Full>(conn, sender, &wanted.patient, now)?;
                family::check(conn, &access, wanted)
            }
            Self::Ownership { patient, .. } => access::grant::<Own>(conn, sender, patient, now).map(drop),
        }
    }

    /// Has this person all of it already?
    pub fn has_already(&self, conn: &mut Conn, sender: &Actor, user: &UserId, now: NaiveDateTime) -> Result<bool> {
        match self {
            Self::Share { patients, .. } => {
                for patient in patients {
                    let access = access::grant::<Full>(conn, sender, patient, now)?;
                    if !shares::is_in(conn, &access, user)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Household { household, .. } => households::is_member(conn, household, user),
            // Who sees some of the family may be shown more of it; an owner sees all of it.
            Self::FamilyHistory(wanted) => shares::is_owner(conn, &wanted.patient, user),
            Self::Ownership { patient, .. } => shares::is_owner(conn, patient, user),
        }
    }

    /// Each thing one gets, a line each: who, how far, which part, until when. What the sender may no longer give is left out.
    pub fn lines(&self, conn: &mut Conn, ui: &Ui, sender: &Actor, now: NaiveDateTime) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        match self {
            Self::Share { patients, terms } => {
                for patient in patients {
                    let Some(access) = some(access::grant::<Full>(conn, sender, patient, now))? else { continue };
                    let tags = tags::of_household(conn, access.household())?;
                    lines.push(format!("{}: {}", access.patient.name(), terms.words(ui, &tags)));
                }
            }
            Self::Household { household, role } => {
                if let Some(name) = households::name(conn, household)? {
                    lines.push(ui.words.with("invitation.household", &[("name", &name), ("role", &ui.choice("HouseholdRole", role))]));
                }
            }
            Self::FamilyHistory(wanted) => {
                let Some(access) = some(access::grant::<Full>(conn, sender, &wanted.patient, now))? else { return Ok(lines) };
                // Somebody of them may be gone: then it is no longer what was meant.
                let members = match family::preview(conn, &access, wanted) {
                    Err(Error::Invalid(_) | Error::NotFound) => return Ok(lines),
                    members => members?,
                };
                for one in members {
                    let relation = ui.choice("FamilyRelationship", &one.relationship);
                    let had = ui.n("invitation.had", &i64::try_from(one.conditions).unwrap_or(i64::MAX));
                    lines.push(format!("{} · {relation} · {had}", one.name));
                }
            }
            Self::Ownership { patient, instead } => {
                if let Some(access) = some(access::grant::<Own>(conn, sender, patient, now))? {
                    let key = if *instead { "invitation.own_instead" } else { "invitation.own_beside" };
                    lines.push(ui.words.with(key, &[("name", &access.patient.name())]));
                }
            }
        }
        Ok(lines)
    }
}

fn some<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound | Error::Forbidden) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The sender, as far as their account goes now.
pub fn sender(conn: &mut Conn, invitation: &Invitation) -> Result<Actor> {
    let account = crate::auth::accounts::by_id(conn, &invitation.sent_by_user_id)?;
    if account.disabled_at.is_some() {
        return Err(Error::Conflict("invitation_impossible"));
    }
    Ok(Actor { user: account.id, name: account.full_name, via: Via::Cli, address: None })
}

/// Gives what was offered. The sender may have lost it since: then nothing is given and the invitation stays as it was.
pub(super) fn give(tx: &mut Tx<'_>, invitation: &Invitation, receiver: &Actor, answer: &Answer, now: NaiveDateTime) -> Result<()> {
    let sender = sender(tx, invitation)?;
    let given = match &invitation.offer()? {
        Offer::Share { patients, terms } => share(tx, invitation, (&sender, receiver), patients, terms, now),
        Offer::Household { household, role } => {
            let role = Role::parse(role).ok_or(Error::BadRequest("unknown_role"))?;
            households::must_keep(tx, household, &sender.user)?;
            households::join(tx, receiver, household, role, answer.bring, now)
        }
        Offer::FamilyHistory(wanted) => family::accept(tx, &sender, &receiver.user, &invitation.id, wanted, now).map(drop),
        Offer::Ownership { patient, instead } => own(tx, &sender, receiver, patient, *instead, now),
    };
    given.map_err(|error| match error {
        Error::NotFound | Error::Forbidden | Error::Invalid(_) => Error::Conflict("invitation_impossible"),
        other => other,
    })
}

fn share(
    tx: &mut Tx<'_>,
    invitation: &Invitation,
    (sender, receiver): (&Actor, &Actor),
    patients: &[PatientId],
    terms: &Terms,
    now: NaiveDateTime,
) -> Result<()> {
    for patient in patients {
        let access = access::grant::<Full>(tx, sender, patient, now)?;
        // Who became an owner meanwhile has more than this already.
        if !shares::is_owner(tx, patient, &receiver.user)? {
            shares::give(tx, &access, &receiver.user, terms, &invitation.id)?;
        }
    }
    Ok(())
}

fn own(tx: &mut Tx<'_>, sender: &Actor, receiver: &Actor, patient: &PatientId, instead: bool, now: NaiveDateTime) -> Result<()> {
    let access = access::grant::<Own>(tx, sender, patient, now)?;
    if !shares::is_owner(tx, patient, &receiver.user)? {
        shares::add_owner(tx, &access, &receiver.user)?;
    }
    if instead {
        shares::resign(tx, &access)?;
    }
    Event { detail: Some("accepted".to_owned()), ..Event::new(receiver, Action::OwnershipGiven, now).patient(patient) }.write(tx)?;
    Ok(())
}
