//! Who may see or change whose records. The only door: without a `PatientAccess` there is no `Chart`.
//!
//! An access is a predicate, not a yes: patient, level, kinds, tags, sensitivities left out, from and until. It is granted as the first
//! statement of the transaction that uses it, and every query of records is filtered by it.

pub mod family;
mod link;
mod scope;

use std::marker::PhantomData;

use chrono::NaiveDateTime;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl,
    SelectableHelper,
};

use crate::{
    app::App,
    db::{
        Conn, MultiBackend,
        schema::{patient_owners, patient_shares, patients, users},
        types::{HouseholdId, LinkId, PatientId, TokenId, UserId, choice},
    },
    error::{Error, Result},
    patients::{Patient, PatientFields},
    records::{Kind, chart::Chart},
};
pub use scope::{Columns, Scope};

/// What a share allows, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    View,
    Edit,
    Full,
    Own,
}

choice!(
    /// The levels of a share, as words of the database.
    Permission { View = "view", Edit = "edit", Full = "full" }
);

/// A rank as a type, so that a viewer's access has no methods that write.
pub trait Level: Send + Sync + 'static {
    const RANK: Rank;
}
/// `Edit: AtLeast<View>`.
pub trait AtLeast<L: Level>: Level {}

macro_rules! levels {
    ($($level:ident: $($below:ident),+;)+) => { $(
        #[derive(Clone, Copy, Debug)]
        pub struct $level;
        impl Level for $level { const RANK: Rank = Rank::$level; }
        $(impl AtLeast<$below> for $level {})+
    )+ };
}
levels! {
    View: View;
    Edit: View, Edit;
    Full: View, Edit, Full;
    Own: View, Edit, Full, Own;
}

/// Who acts. Kept with every version and audit entry.
#[derive(Clone, Debug)]
pub struct Actor {
    pub user: UserId,
    pub name: String,
    pub via: Via,
    pub address: Option<String>,
}

/// How they came in; a token may be allowed to read only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    Session(String),
    Token {
        id: TokenId,
        may_write: bool,
    },
    Cli,
    /// The program itself, in somebody's name and by their rights: what they asked for goes on when they are gone.
    Job,
    /// A link for a professional: it reads what the person who made it opened, and `user` is that person.
    Link(LinkId),
}

impl Actor {
    pub fn session_id(&self) -> Option<String> {
        match &self.via {
            Via::Session(id) => Some(id.clone()),
            Via::Token { id, .. } => Some(id.to_string()),
            Via::Link(id) => Some(id.to_string()),
            Via::Cli | Via::Job => None,
        }
    }
    pub fn via_read_only(&self) -> bool {
        matches!(self.via, Via::Token { may_write: false, .. } | Via::Link(_))
    }
    /// Who acts, as the audit keeps it: an account, or a link that has none.
    pub fn key(&self) -> String {
        match &self.via {
            Via::Link(id) => format!("link:{id}"),
            _ => self.user.to_string(),
        }
    }
    /// Who says what this actor writes, as versions keep it.
    pub fn source(&self) -> &'static str {
        if matches!(self.via, Via::Token { .. }) { "api" } else { "person" }
    }
    fn highest(&self) -> Rank {
        match self.via {
            Via::Token { may_write: false, .. } | Via::Link(_) => Rank::View,
            _ => Rank::Own,
        }
    }
}

/// The proof that `actor` may do `L` with this patient, and with which part.
#[derive(Clone, Debug)]
pub struct PatientAccess<L: Level> {
    pub patient: Patient,
    pub actor: Actor,
    pub rank: Rank,
    /// The patient's own, not shared with them; a token that only reads weakens the rank and not this.
    pub owner: bool,
    /// When it ends, if it does.
    pub until: Option<NaiveDateTime>,
    pub now: NaiveDateTime,
    scope: Scope,
    level: PhantomData<L>,
}

impl Rank {
    pub const WORDS: &'static [&'static str] = &["view", "edit", "full", "own"];
    pub fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Edit => "edit",
            Self::Full => "full",
            Self::Own => "own",
        }
    }
}

impl<L: Level> PatientAccess<L> {
    pub fn id(&self) -> &PatientId {
        &self.patient.id
    }
    pub fn household(&self) -> &HouseholdId {
        &self.patient.household_id
    }
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
    pub fn may(&self, rank: Rank) -> bool {
        self.rank >= rank
    }
    /// The records of one kind; a kind outside the share does not exist for this person.
    pub fn chart(&self, kind: &'static Kind) -> Result<Chart<'_, L>> {
        if self.scope.allows_kind(kind.name) { Ok(Chart::new(self, kind)) } else { Err(Error::NotFound) }
    }
}

/// What one patient grants to an actor, before a level is asked for.
struct Grant {
    patient: Patient,
    rank: Rank,
    /// What the account has, before the way it came in weakened it.
    uncapped: Rank,
    owner: bool,
    until: Option<NaiveDateTime>,
    scope: Scope,
}

/// The patient, an owner's row if there is one, and the share if there is one.
type Row = (Patient, Option<UserId>, Option<ShareRow>);

#[derive(Clone, Debug, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = patient_shares, check_for_backend(MultiBackend))]
struct ShareRow {
    permission_level: Permission,
    kinds: Option<String>,
    tags: Option<String>,
    without: Option<String>,
    is_active: bool,
    starts_at: Option<NaiveDateTime>,
    expires_at: Option<NaiveDateTime>,
}

/// One statement: patients with what ties this user to them. Deleted patients exist for nobody here.
macro_rules! ties {
    ($actor:expr) => {
        patients::table
            .left_join(
                patient_owners::table.on(patient_owners::patient_id.eq(patients::id).and(patient_owners::user_id.eq($actor.user.clone()))),
            )
            .left_join(
                patient_shares::table
                    .on(patient_shares::patient_id.eq(patients::id).and(patient_shares::shared_with_user_id.eq($actor.user.clone()))),
            )
            .filter(patients::deleted_at.is_null())
            .filter(patient_owners::user_id.is_not_null().or(patient_shares::id.is_not_null()))
            .select((Patient::as_select(), patient_owners::user_id.nullable(), Option::<ShareRow>::as_select()))
    };
}

/// Proves `L` before a body is read: a stranger learns nothing from how a body is refused. Whoever changes something afterwards proves it again,
/// in the transaction that does.
pub async fn must_be<L: Level>(app: &App, actor: &Actor, patient: &PatientId) -> Result<()> {
    let (actor, patient) = (actor.clone(), patient.clone());
    app.read(move |conn, app| grant::<L>(conn, &actor, &patient, app.clock.now()).map(drop)).await
}

/// Grants `L` on one patient: 404 if there is nothing, 403 if it is too weak.
pub fn grant<L: Level>(conn: &mut Conn, actor: &Actor, patient: &PatientId, now: NaiveDateTime) -> Result<PatientAccess<L>> {
    let mut found = tie(conn, actor, patient, now)?.ok_or(Error::NotFound)?;
    if let Via::Link(link) = &actor.via {
        found = link::narrow(conn, found, actor, link, now)?.ok_or(Error::NotFound)?;
    }
    if found.rank < L::RANK {
        return Err(Error::Forbidden);
    }
    Ok(PatientAccess {
        patient: found.patient,
        actor: actor.clone(),
        rank: found.rank,
        owner: found.owner,
        until: found.until,
        now,
        scope: found.scope,
        level: PhantomData,
    })
}

/// What ties this account to one patient now.
fn tie(conn: &mut Conn, actor: &Actor, patient: &PatientId, now: NaiveDateTime) -> Result<Option<Grant>> {
    let row: Option<Row> = ties!(actor).filter(patients::id.eq(patient)).first(conn).optional()?;
    Ok(row.and_then(|row| granted(row, actor, now)))
}

/// The access to a patient whom an import is making: nobody sees them yet, and whoever makes them will own them.
pub fn in_the_making(conn: &mut Conn, actor: &Actor, patient: &PatientId, now: NaiveDateTime) -> Result<PatientAccess<Edit>> {
    let patient = crate::patients::unseen(conn, actor, patient)?;
    if actor.highest() < Rank::Edit {
        return Err(Error::Forbidden);
    }
    Ok(owned(patient, actor, now))
}

/// The access to a patient who would be made, with an id that no other patient has: for telling what an import would do.
pub fn imagined(actor: &Actor, household: &HouseholdId, fields: PatientFields, now: NaiveDateTime) -> PatientAccess<Edit> {
    let patient = Patient {
        id: PatientId::new(),
        household_id: household.clone(),
        owner_user_id: actor.user.clone(),
        source: String::new(),
        source_key: None,
        version: 1,
        created_at: now,
        updated_at: now,
        photo: None,
        photo_small: None,
        fields,
    };
    owned(patient, actor, now)
}

fn owned(patient: Patient, actor: &Actor, now: NaiveDateTime) -> PatientAccess<Edit> {
    PatientAccess {
        patient,
        actor: actor.clone(),
        rank: Rank::Own,
        owner: true,
        until: None,
        now,
        scope: Scope::default(),
        level: PhantomData,
    }
}

/// Everything this person may look at, for pages over several patients.
pub fn all(conn: &mut Conn, actor: &Actor, now: NaiveDateTime) -> Result<Accesses> {
    if matches!(actor.via, Via::Link(_)) {
        // A link opens one patient's page and no list of people.
        return Ok(Accesses { list: Vec::new() });
    }
    let rows: Vec<Row> =
        ties!(actor).order((patients::is_self_record.desc(), patients::birth_date.asc(), patients::id.asc())).load(conn)?;
    let list = rows
        .into_iter()
        .filter_map(|row| granted(row, actor, now))
        .map(|g| PatientAccess {
            patient: g.patient,
            actor: actor.clone(),
            rank: g.rank,
            owner: g.owner,
            until: g.until,
            now,
            scope: g.scope,
            level: PhantomData,
        })
        .collect();
    Ok(Accesses { list })
}

fn granted((patient, owner, share): Row, actor: &Actor, now: NaiveDateTime) -> Option<Grant> {
    let highest = actor.highest();
    if owner.is_some() {
        return Some(Grant {
            patient,
            rank: Rank::Own.min(highest),
            uncapped: Rank::Own,
            owner: true,
            until: None,
            scope: Scope::default(),
        });
    }
    let share = share?;
    let begun = share.starts_at.is_none_or(|from| from <= now);
    let over = share.expires_at.is_some_and(|until| until <= now);
    if !share.is_active || !begun || over {
        return None;
    }
    let rank = match share.permission_level {
        Permission::View => Rank::View,
        Permission::Edit => Rank::Edit,
        Permission::Full => Rank::Full,
    };
    let scope = Scope::of_columns((share.kinds, share.tags, share.without))?;
    Some(Grant { patient, rank: rank.min(highest), uncapped: rank, owner: false, until: share.expires_at, scope })
}

/// The patients a person may look at, each with its own scope.
#[derive(Clone, Debug)]
pub struct Accesses {
    pub list: Vec<PatientAccess<View>>,
}

impl Accesses {
    pub fn of(&self, patient: &PatientId) -> Option<&PatientAccess<View>> {
        self.list.iter().find(|access| access.id() == patient)
    }
}

/// Is the account there and enabled? Everything else about it is `auth`'s.
pub fn is_enabled(conn: &mut Conn, user: &UserId) -> Result<bool> {
    let found: Option<UserId> =
        users::table.filter(users::id.eq(user)).filter(users::disabled_at.is_null()).select(users::id).first(conn).optional()?;
    Ok(found.is_some())
}
