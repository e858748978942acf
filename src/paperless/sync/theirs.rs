//! What somebody changed there: a title or a tag that a person gives a document in their own archive is meant, and becomes ours by their
//! rights. Where ours was changed since, too, both stand on the document's page until somebody chooses.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{
    connection,
    copies::{self, Copy},
    describe::{self, Described, There, Told},
    worker::Trouble,
};
use crate::{
    access::{self, Actor, Edit, PatientAccess, Rank, View},
    app::App,
    db::{
        Conn, Tx,
        schema::{files as file_rows, paperless_copies},
        types::{FileId, RecordId},
    },
    error::{Error, Result},
    files::{self, Details, File},
    paperless::{Client, Document, Fault, Label, cut_title},
    records::{self, chart::Draft},
    tags,
    text::fold,
};

/// Why a document waits for somebody: its title was changed on both sides.
pub const TWO_TITLES: &str = "two_titles";
/// What is added to the name of whose archive it is, where the audit tells who changed something.
const FROM: &str = "Paperless-ngx";
/// Where versions of records say they are from.
const SOURCE: &str = "paperless";

/// A document as it stands there, with the names of its tags; `whole` if this account sees all of them.
pub struct Standing {
    there: There,
    whole: bool,
}

impl Standing {
    /// `names` are those of the tags, as far as they can be seen.
    pub fn new(document: &Document, names: &std::collections::BTreeMap<i64, String>) -> Self {
        let tags: Vec<String> = document.tags.iter().filter_map(|id| names.get(id)).cloned().collect();
        Self { whole: tags.len() == document.tags.len(), there: There { title: document.title.clone(), tags } }
    }

    pub fn read(client: &Client, document: &Document) -> Result<Self, Fault> {
        Ok(Self::new(document, &tag_names(client, &document.tags)?))
    }
}

/// Without the right to see tags there are none to show.
pub fn tag_names(client: &Client, tags: &[i64]) -> Result<std::collections::BTreeMap<i64, String>, Fault> {
    match client.label_names(Label::Tag, tags) {
        Err(Fault::Right(_)) => Ok(std::collections::BTreeMap::new()),
        names => names,
    }
}

/// How the titles stand to each other, compared with what both sides last agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Title {
    /// The same, or changed here alone.
    Ours,
    /// Changed there alone.
    Theirs,
    Both,
}

/// What is different there.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    title: Title,
    /// Tags that were given there and taken off there.
    given: Vec<String>,
    taken: Vec<String>,
}

impl Difference {
    /// `ours` is how it is described here now; `fits` if all of our title stands there.
    fn of(told: &Told, base: &There, now: &Standing, ours: &Described, fits: bool) -> Self {
        let title = &now.there.title;
        let is_theirs = !title.is_empty() && *title != base.title && *title != ours.title;
        let title = match (is_theirs, ours.title == told.said.title && fits) {
            (false, _) => Title::Ours,
            (true, true) => Title::Theirs,
            (true, false) => Title::Both,
        };
        let given = now.there.tags.iter().filter(|tag| ![&base.tags, &ours.tags, &told.said.tags].into_iter().any(|list| has(list, tag)));
        let taken =
            ours.tags.iter().filter(|tag| now.whole && has(&told.said.tags, tag) && has(&base.tags, tag) && !has(&now.there.tags, tag));
        Self { title, given: given.cloned().collect(), taken: taken.cloned().collect() }
    }

    fn is_none(&self) -> bool {
        self.title != Title::Theirs && self.given.is_empty() && self.taken.is_empty()
    }
}

/// As the household knows its tags: capitals and accents make no other tag.
fn has(tags: &[String], name: &str) -> bool {
    tags.iter().any(|tag| fold(tag) == fold(name))
}

/// Takes over what was changed there, and notes how it stands there now. The row is the caller's to save; a document that this person may only
/// look at is left as it is.
pub fn take_over(app: &App, client: &Client, copy: &mut Copy, now: &Standing) -> Result<(), Trouble> {
    let last = There {
        title: copy.seen_title.clone().unwrap_or_else(|| now.there.title.clone()),
        tags: copy.seen_tags.as_deref().map_or_else(|| now.there.tags.clone(), |tags| tags.lines().map(str::to_owned).collect()),
    };
    (copy.seen_title, copy.seen_tags) = (Some(now.there.title.clone()), Some(now.there.tags.join("\n")));
    let Some(mut told) = copy.told() else { return Ok(()) };
    let base = told.there.clone().unwrap_or(last);
    let found = app.db.read(|conn| look(conn, app, copy, &told, &base, now));
    let (mut difference, with_tags) = match found {
        Ok(Some(found)) => found,
        Ok(None) | Err(Error::NotFound) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    difference.taken = still_known(client, difference.taken)?;
    let changed = if difference.is_none() { Ok(Vec::new()) } else { app.db.write(|tx| write(tx, app, copy, now, &difference)) };
    let given = match changed {
        Ok(given) => given,
        // Somebody changed it meanwhile, or it is gone: the next look sees what has become of it.
        Err(Error::Stale { .. } | Error::NotFound | Error::Forbidden | Error::Invalid(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    told.said.tags.retain(|tag| !has(&difference.taken, tag));
    told.said.tags.extend(given);
    let mut there = There { tags: if now.whole && with_tags { now.there.tags.clone() } else { base.tags }, ..now.there.clone() };
    match difference.title {
        Title::Theirs => told.said.title.clone_from(&there.title),
        Title::Both => there.title = base.title,
        Title::Ours => {}
    }
    note(copy, difference.title == Title::Both);
    told.there = Some(there);
    copy.note_told(&told);
    Ok(())
}

/// Says that somebody has to choose, or that nobody has to any more.
fn note(copy: &mut Copy, both: bool) {
    if both {
        copy.reason = Some(TWO_TITLES.to_owned());
    } else if copy.reason.as_deref() == Some(TWO_TITLES) {
        copy.reason = None;
    }
}

/// What differs, and whether tags are told at all; nothing if this person may not change the document here.
fn look(conn: &mut Conn, app: &App, copy: &Copy, told: &Told, base: &There, now: &Standing) -> Result<Option<(Difference, bool)>> {
    let own = connection::named(conn, &copy.user_id)?;
    let (file, ours) = describe::of(conn, app, copy)?;
    let patient = file.patient_id.clone().ok_or(Error::NotFound)?;
    let actor = connection::actor(conn, &copy.user_id)?.ok_or(Error::NotFound)?;
    let access = access::grant::<View>(conn, &actor, &patient, app.clock.now())?;
    let mut difference = Difference::of(told, base, now, &ours, fits(&file));
    let may_edit = access.may(Rank::Edit);
    if !may_edit && difference.title != Title::Both {
        return Ok(None);
    }
    let tagged = file.record_id.as_ref().filter(|_| own.sync_tags && may_edit);
    if let Some(record) = tagged {
        let known = tags::of_household(conn, access.household())?;
        difference.given.retain(|name| known.iter().any(|tag| fold(&tag.name) == fold(name)));
        if !difference.taken.is_empty() && has_others(conn, copy, record)? {
            // The tag is the record's, and its other papers there carry it still.
            difference.taken.clear();
        }
    } else {
        (difference.given, difference.taken) = (Vec::new(), Vec::new());
    }
    Ok(Some((difference, own.sync_tags && may_edit)))
}

/// A description that is longer than a title can be is not lost for a title.
fn fits(file: &File) -> bool {
    file.description.as_ref().is_none_or(|text| cut_title(text) == *text)
}

fn has_others(conn: &mut Conn, copy: &Copy, record: &RecordId) -> Result<bool> {
    let others = paperless_copies::table
        .inner_join(file_rows::table.on(file_rows::id.eq(paperless_copies::file_id)))
        .filter(file_rows::record_id.eq(record))
        .filter(file_rows::deleted_at.is_null())
        .filter(paperless_copies::user_id.eq(&copy.user_id))
        .filter(paperless_copies::file_id.ne(&copy.file_id))
        .select(paperless_copies::file_id);
    Ok(others.first::<FileId>(conn).optional()?.is_some())
}

/// Those that are there under their name: a tag that was renamed or deleted there was taken off no document by anybody.
fn still_known(client: &Client, taken: Vec<String>) -> Result<Vec<String>, Fault> {
    let mut known = Vec::new();
    for tag in taken {
        match client.find_label(Label::Tag, &tag) {
            Ok(Some(_)) => known.push(tag),
            Ok(None) | Err(Fault::Right(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(known)
}

/// Makes it ours; told are the tags that were given, as they are called here.
fn write(tx: &mut Tx<'_>, app: &App, copy: &Copy, now: &Standing, difference: &Difference) -> Result<Vec<String>> {
    let actor = connection::actor(tx, &copy.user_id)?.ok_or(Error::NotFound)?;
    let actor = Actor { name: format!("{} ({FROM})", actor.name), ..actor };
    let patient: Option<_> = file_rows::table.find(&copy.file_id).select(file_rows::patient_id).first(&mut **tx).optional()?;
    let access = access::grant::<Edit>(tx, &actor, &patient.flatten().ok_or(Error::NotFound)?, app.clock.now())?;
    let (file, head) = files::living(tx, &access, &copy.file_id)?;
    if difference.title == Title::Theirs {
        entitle(tx, &access, &file, &now.there.title)?;
    }
    let kind = head.as_ref().and_then(|head| records::kind(&head.kind));
    let (Some(head), Some(kind)) = (head, kind) else { return Ok(Vec::new()) };
    if difference.given.is_empty() && difference.taken.is_empty() {
        return Ok(Vec::new());
    }
    let chart = access.chart(kind)?;
    let record = chart.get(tx, &head.id)?;
    let known = tags::of_household(tx, access.household())?;
    let given: Vec<String> = known.into_iter().map(|tag| tag.name).filter(|name| has(&difference.given, name)).collect();
    let mut wanted: Vec<String> = record.tags.into_iter().map(|tag| tag.name).filter(|tag| !has(&difference.taken, tag)).collect();
    wanted.extend(given.clone());
    let draft = Draft { entry: record.entry, tags: Some(wanted), links: None, source: SOURCE.to_owned() };
    chart.change(tx, &head.id, record.head.version, &draft)?;
    Ok(given)
}

/// Gives the document this title here.
fn entitle(tx: &mut Tx<'_>, access: &PatientAccess<Edit>, file: &File, title: &str) -> Result<()> {
    let details = Details {
        description: Some(title.to_owned()),
        record: file.record_id.clone(),
        category: file.category.clone(),
        document_date: file.document_date.clone(),
    };
    files::change(tx, access, &file.id, file.version, &details)
}

/// The title there, if it is another one than ours and both are known to each other.
pub fn other_title(copy: &Copy, file: &File) -> Option<String> {
    copy.told()?;
    copy.seen_title.clone().filter(|title| !title.is_empty() && *title != describe::title(file))
}

/// Somebody chose: the title there becomes ours, or ours is said there next.
pub fn choose(tx: &mut Tx<'_>, access: &PatientAccess<Edit>, copy: &mut Copy, theirs: bool, now: NaiveDateTime) -> Result<()> {
    let (file, _) = files::living(tx, access, &copy.file_id)?;
    let (Some(title), Some(mut told)) = (other_title(copy, &file), copy.told()) else { return Err(Error::Conflict("paperless_changed")) };
    let tags =
        told.there.map_or_else(|| copy.seen_tags.iter().flat_map(|tags| tags.lines()).map(str::to_owned).collect(), |there| there.tags);
    told.said.title.clone_from(&title);
    told.there = Some(There { title: title.clone(), tags });
    copy.note_told(&told);
    note(copy, false);
    if theirs {
        return entitle(tx, access, &file, &title);
    }
    copy.go(copies::State::Synced, copies::Step::Tell, now);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }
    fn told(title: &str, tags: &[&str]) -> Told {
        Told { said: described(title, tags), there: None }
    }
    fn described(title: &str, tags: &[&str]) -> Described {
        Described { title: title.to_owned(), tags: texts(tags), ..Described::default() }
    }
    fn there(title: &str, tags: &[&str]) -> There {
        There { title: title.to_owned(), tags: texts(tags) }
    }

    #[test]
    fn a_title_is_whose_it_was_changed_by_alone() {
        for (said, base, now, ours, title) in [
            ("A", "A", "A", "A", Title::Ours),
            ("A", "A", "A", "B", Title::Ours),
            ("A", "A", "B", "A", Title::Theirs),
            ("A", "A", "B", "C", Title::Both),
            ("A", "A", "B", "B", Title::Ours),
            // There before us, under another title, which nobody changed.
            ("A", "Z", "Z", "A", Title::Ours),
            ("A", "Z", "Y", "A", Title::Theirs),
            ("A", "A", "", "A", Title::Ours),
        ] {
            let now = Standing { there: there(now, &[]), whole: true };
            let found = Difference::of(&told(said, &[]), &there(base, &[]), &now, &described(ours, &[]), true);
            assert_eq!(found.title, title, "{said} {base} {ours}");
        }
        let now = Standing { there: there("B", &[]), whole: true };
        let long = Difference::of(&told("A", &[]), &there("A", &[]), &now, &described("A", &[]), false);
        assert_eq!(long.title, Title::Both, "more is written here than a title holds");
    }

    #[test]
    fn tags_are_given_and_taken_off_against_what_was_known() {
        let of = |said: &[&str], base: &[&str], now: &[&str], ours: &[&str], whole: bool| {
            let now = Standing { there: there("A", now), whole };
            let found = Difference::of(&told("A", said), &there("A", base), &now, &described("A", ours), true);
            (found.given, found.taken)
        };
        assert_eq!(of(&["Blood"], &["Blood"], &["blood", "Knee"], &["Blood"], true), (texts(&["Knee"]), vec![]));
        assert_eq!(of(&["Blood"], &["Blood"], &[], &["Blood"], true), (vec![], texts(&["Blood"])));
        assert_eq!(of(&["Blood"], &["Blood"], &[], &["Blood"], false), (vec![], vec![]), "not all of them are seen");
        assert_eq!(of(&["Blood"], &["Blood"], &["Blood"], &[], true), (vec![], vec![]), "taken off here, and told next");
        assert_eq!(of(&[], &["Knee"], &["Knee"], &[], true), (vec![], vec![]), "it was there before");
    }
}
