//! Documents that are a household's own: its inbox, and those of its practitioners. Membership opens the inbox, as it opens the directory;
//! a share of a patient opens neither.

use std::marker::PhantomData;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{
    Details, File, NewFile,
    owner::{self, Hand, Owner},
    query::FileQuery,
    quota::Quota,
};
use crate::{
    access::{Actor, AtLeast, Edit, Level, Rank, Via, View},
    app::App,
    audit::Action,
    db::{
        Conn, MultiBackend, Tx,
        schema::{files, household_members, practitioners, users},
        search,
        sql::among,
        types::{FileId, HouseholdId, PractitionerId},
    },
    error::{Error, Result},
    households,
};

const INBOX: &str = "/inbox";

fn base_of(practitioner: &PractitionerId) -> String {
    format!("/directory/practitioners/{practitioner}/files")
}

/// Where documents lie that are no patient's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Of this household, or of the person's main one.
    Inbox(Option<HouseholdId>),
    /// The inbox this document is in.
    InboxOf(FileId),
    Practitioner(PractitionerId),
}

/// The proof that somebody may do `L` with the documents there.
#[derive(Clone, Debug)]
pub struct Shelf<L: Level> {
    pub owner: Owner,
    pub household: HouseholdId,
    pub actor: Actor,
    /// This person may change something here.
    pub may_edit: bool,
    pub now: NaiveDateTime,
    level: PhantomData<L>,
}

/// Grants `L` there: 404 for who does not belong to the household, 403 for who only looks (guests, and tokens to read).
pub fn grant<L: Level>(conn: &mut Conn, actor: &Actor, place: &Place, now: NaiveDateTime) -> Result<Shelf<L>> {
    if matches!(actor.via, Via::Link(_)) {
        return Err(Error::NotFound);
    }
    let (main, role): (HouseholdId, String) =
        users::table.find(&actor.user).select((users::household_id, users::role)).first(conn).optional()?.ok_or(Error::NotFound)?;
    let (owner, household) = match place {
        Place::Inbox(wanted) => {
            let household = wanted.clone().unwrap_or(main);
            (Owner::Inbox(household.clone()), household)
        }
        Place::InboxOf(file) => {
            let found: Option<Option<HouseholdId>> = files::table.find(file).select(files::household_id).first(conn).optional()?;
            let household = found.flatten().ok_or(Error::NotFound)?;
            (Owner::Inbox(household.clone()), household)
        }
        // As the directory's own page: of the household that the person keeps their records in.
        Place::Practitioner(id) => {
            let found: Option<HouseholdId> = practitioners::table.find(id).select(practitioners::household_id).first(conn).optional()?;
            let household = found.filter(|household| *household == main).ok_or(Error::NotFound)?;
            (Owner::Practitioner(id.clone()), household)
        }
    };
    let member: Option<HouseholdId> =
        household_members::table.find((&household, &actor.user)).select(household_members::household_id).first(conn).optional()?;
    if member.is_none() {
        return Err(Error::NotFound);
    }
    let may_edit = role != "guest" && !actor.via_read_only();
    if L::RANK > Rank::View && !may_edit {
        return Err(Error::Forbidden);
    }
    Ok(Shelf { owner, household, actor: actor.clone(), may_edit, now, level: PhantomData })
}

impl<L: Level> Shelf<L> {
    fn mine(&self) -> files::BoxedQuery<'static, MultiBackend> {
        let all = files::table.into_boxed::<MultiBackend>();
        match &self.owner {
            Owner::Inbox(household) => all.filter(files::household_id.eq(household.clone())),
            Owner::Practitioner(practitioner) => all.filter(files::practitioner_id.eq(practitioner.clone())),
            // A shelf is never a patient's.
            Owner::Patient(..) => all.filter(files::id.is_null()),
        }
    }

    fn hand(&self) -> Hand<'_> {
        Hand { actor: Some(&self.actor), now: self.now }
    }

    /// The address its pages begin with.
    pub fn base(&self) -> String {
        match &self.owner {
            Owner::Practitioner(id) => base_of(id),
            _ => INBOX.to_owned(),
        }
    }

    /// A page of them, the newest first, and how many there are.
    pub fn list(&self, conn: &mut Conn, query: &FileQuery) -> Result<(Vec<File>, i64)> {
        let total = query.narrow(self.mine()).count().get_result(conn)?;
        let rows = query.page_of(self.mine()).select(File::as_select()).load(conn)?;
        Ok((rows, total))
    }

    /// One of them, in the trash or not.
    pub fn find(&self, conn: &mut Conn, id: &FileId) -> Result<File> {
        self.mine().filter(files::id.eq(id.clone())).select(File::as_select()).first(conn).optional()?.ok_or(Error::NotFound)
    }

    /// The same that is not in the trash.
    pub fn living(&self, conn: &mut Conn, id: &FileId) -> Result<File> {
        self.find(conn, id).and_then(|file| if file.deleted_at.is_none() { Ok(file) } else { Err(Error::NotFound) })
    }

    /// Notes that a person looked at a document or took it along.
    pub fn note_look(&self, app: &App, action: Action, file: &File) {
        app.reads.note(self.hand().event(&self.owner, action, &file.id, file.version));
    }
}

impl<L: AtLeast<Edit>> Shelf<L> {
    pub fn add(&self, tx: &mut Tx<'_>, quota: Quota, new: &NewFile, details: &Details) -> Result<FileId> {
        owner::insert(tx, self.hand(), &self.owner, (&self.household, quota), new, details)
    }

    pub fn change(&self, tx: &mut Tx<'_>, id: &FileId, version: i32, details: &Details) -> Result<()> {
        let file = self.living(tx, id)?;
        owner::describe(tx, self.hand(), &file, version, (None, details))
    }

    /// Into the trash.
    pub fn remove(&self, tx: &mut Tx<'_>, id: &FileId) -> Result<()> {
        let file = self.find(tx, id)?;
        owner::lay(tx, self.hand(), &file, true)
    }

    /// Out of the trash for good.
    pub fn forget(&self, tx: &mut Tx<'_>, id: &FileId) -> Result<()> {
        let file = self.find(tx, id)?;
        owner::forget(tx, self.hand(), &file)
    }

    /// Back from the trash.
    pub fn restore(&self, tx: &mut Tx<'_>, id: &FileId) -> Result<()> {
        let file = self.find(tx, id)?;
        owner::lay(tx, self.hand(), &file, false)
    }
}

/// A document of a household's own that was found.
pub struct Found {
    pub file: File,
    /// The address its pages begin with.
    pub base: String,
    /// The practitioner's name; none in an inbox.
    pub practitioner: Option<String>,
}

/// The documents with these words that this person may see as [`grant`] lets them: in the inboxes of their households, and of the practitioners
/// of their main one. The newest first; a handful of statements, however many there are.
pub fn find(conn: &mut Conn, actor: &Actor, q: &str) -> Result<Vec<Found>> {
    if matches!(actor.via, Via::Link(_)) {
        return Ok(Vec::new());
    }
    let mine = households::ids(conn, &actor.user)?;
    let ids = search::find_shelved(conn, &mine, q)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let main: HouseholdId = users::table.find(&actor.user).select(users::household_id).first(conn)?;
    let found: Vec<File> = files::table
        .filter(among(conn, "files.id", &ids))
        .filter(files::deleted_at.is_null())
        .order((files::uploaded_at.desc(), files::id.desc()))
        .select(File::as_select())
        .load(conn)?;
    let named: Vec<&PractitionerId> = found.iter().filter_map(|file| file.practitioner_id.as_ref()).collect();
    let entries: Vec<(PractitionerId, HouseholdId, Option<String>)> = practitioners::table
        .filter(among(conn, "practitioners.id", &named))
        .select((practitioners::id, practitioners::household_id, practitioners::name))
        .load(conn)?;
    let door = |file: File| match file.owner()? {
        Owner::Inbox(household) => mine.contains(&household).then(|| Found { file, base: INBOX.to_owned(), practitioner: None }),
        Owner::Practitioner(id) => {
            let (_, _, name) = entries.iter().find(|(entry, household, _)| *entry == id && *household == main && mine.contains(&main))?;
            Some(Found { file, base: base_of(&id), practitioner: Some(name.clone().unwrap_or_default()) })
        }
        // A shelf is never a patient's.
        Owner::Patient(..) => None,
    };
    Ok(found.into_iter().filter_map(door).collect())
}

/// Before a practitioner's entry goes, which would take them along: the documents lie in the inbox again.
pub fn to_inbox(tx: &mut Tx<'_>, actor: &Actor, practitioner: &PractitionerId, now: NaiveDateTime) -> Result<()> {
    let shelf = grant::<View>(tx, actor, &Place::Practitioner(practitioner.clone()), now)?;
    let rows: Vec<File> = shelf.mine().select(File::as_select()).load(&mut **tx)?;
    let inbox = Owner::Inbox(shelf.household.clone());
    for file in rows {
        let next = file.version.saturating_add(1);
        diesel::update(files::table.find(&file.id))
            .set((
                files::practitioner_id.eq(None::<PractitionerId>),
                files::household_id.eq(&shelf.household),
                files::updated_at.eq(now),
                files::version.eq(next),
            ))
            .execute(&mut **tx)?;
        shelf.hand().note(tx, &inbox, Action::Changed, &file.id, next)?;
    }
    Ok(())
}

/// All documents of a household that are no patient's go into the trash, or come back from where they were put at that moment: the account of its
/// only member goes, or stays after all.
pub fn lay_all(tx: &mut Tx<'_>, by: &Actor, household: &HouseholdId, thrown_at: Option<NaiveDateTime>, now: NaiveDateTime) -> Result<()> {
    let own = practitioners::table.filter(practitioners::household_id.eq(household)).select(practitioners::id);
    let practitioners: Vec<PractitionerId> = own.load(&mut **tx)?;
    let rows: Vec<File> = files::table
        .filter(files::household_id.eq(household).or(files::practitioner_id.eq_any(practitioners)))
        .select(File::as_select())
        .load(&mut **tx)?;
    for file in rows.into_iter().filter(|file| file.deleted_at == thrown_at) {
        owner::lay(tx, Hand { actor: Some(by), now }, &file, thrown_at.is_none())?;
    }
    Ok(())
}
