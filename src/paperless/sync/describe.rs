//! What is said of a document there: title, date, from whom, what it is, its tags, and the way back to it here.

use chrono::NaiveDate;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::{connection, copies::Copy, theirs};
use crate::{
    access::{self, PatientAccess, View},
    app::App,
    db::{
        Conn,
        schema::{files as rows, practitioners},
        types::{FileId, PatientId},
    },
    error::{Error, Result},
    files::{self, File},
    i18n::Locale,
    paperless::{Change, Client, Fault, Label, cut_title},
    records::{self, Head},
};

/// The name of the field that holds our link there.
const LINK_FIELD: &str = "Kinchart";

/// As the person whose Paperless-ngx it is sees it here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    pub title: String,
    /// Only a whole date: nothing is invented.
    pub created: Option<NaiveDate>,
    pub correspondent: Option<String>,
    pub document_type: Option<String>,
    pub tags: Vec<String>,
    pub link: String,
}

/// What both sides last agreed on: what was said of the document there, and how it stood there then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    #[serde(flatten)]
    pub said: Described,
    /// None as long as it was not looked at there since.
    #[serde(default)]
    pub there: Option<There>,
}

/// Title and tags of a document there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct There {
    pub title: String,
    pub tags: Vec<String>,
}

impl Copy {
    pub fn told(&self) -> Option<Told> {
        self.told.as_deref().and_then(|text| serde_json::from_str(text).ok())
    }
    pub fn note_told(&mut self, told: &Told) {
        self.told = serde_json::to_string(told).ok();
    }
}

/// The file with what is said of it. `NotFound` if the person no longer sees it, or it lies in the trash.
pub fn of(conn: &mut Conn, app: &App, copy: &Copy) -> Result<(File, Described)> {
    let actor = connection::actor(conn, &copy.user_id)?.ok_or(Error::NotFound)?;
    let with_tags = connection::named(conn, &copy.user_id)?.sync_tags;
    let patient = patient_of(conn, &copy.file_id)?;
    let access = access::grant::<View>(conn, &actor, &patient, app.clock.now())?;
    let (file, head) = files::living(conn, &access, &copy.file_id)?;
    let link = format!("{}/patients/{patient}/files/{}", app.config.public_url.as_str(), file.id);
    let mut told = Described { title: title(&file), created: day(&file), link, ..Described::default() };
    if let Some(head) = head {
        of_record(conn, &access, &head, with_tags, &mut told)?;
    }
    Ok((file, told))
}

fn patient_of(conn: &mut Conn, file: &FileId) -> Result<PatientId> {
    let patient: Option<Option<PatientId>> = rows::table.find(file).select(rows::patient_id).first(conn).optional()?;
    patient.flatten().ok_or(Error::NotFound)
}

fn of_record(conn: &mut Conn, access: &PatientAccess<View>, head: &Head, with_tags: bool, told: &mut Described) -> Result<()> {
    let Some(kind) = records::kind(&head.kind) else { return Ok(()) };
    told.document_type = Some(capital(&Locale::default().t(&format!("kind.{}.one", kind.word()))));
    let whom = head.practitioner_id.as_ref().map(|id| practitioners::table.find(id).select(practitioners::name).first(conn).optional());
    let whom: Option<Option<String>> = whom.transpose()?.flatten();
    let record = access.chart(kind)?.get(conn, &head.id)?;
    let place = kind.field("facility").and_then(|(index, _)| record.entry.get(index));
    told.correspondent = whom.flatten().or(place).map(|name| cut_title(&name)).filter(|name| !name.is_empty());
    if with_tags {
        told.tags = record.tags.into_iter().map(|tag| cut_title(&tag.name)).collect();
    }
    Ok(())
}

/// Names there begin as names do.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What it is called there: its description, or else its name.
pub fn title(file: &File) -> String {
    let stem = file.file_name.rsplit_once('.').map_or(file.file_name.as_str(), |(stem, _)| stem);
    cut_title(file.description.as_deref().unwrap_or(stem))
}

fn day(file: &File) -> Option<NaiveDate> {
    file.document_date.as_deref()?.get(..10)?.parse().ok()
}

/// What the names have become there: ids, made where there were none.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub correspondent: Option<i64>,
    pub document_type: Option<i64>,
    pub tags: Vec<i64>,
    pub link_field: Option<i64>,
    /// Why some of it cannot be said; the document is more than its labels, and goes without them.
    pub without: Option<Fault>,
}

impl Names {
    /// Whatever can be said without the account's missing rights.
    pub fn ensure(client: &Client, told: &Described) -> Result<Self, Fault> {
        let mut names = Self::default();
        let label = |label, name: &Option<String>| name.as_deref().map(|name| client.ensure_label(label, name)).transpose();
        names.correspondent = names.unless_refused(label(Label::Correspondent, &told.correspondent))?.flatten();
        names.document_type = names.unless_refused(label(Label::DocumentType, &told.document_type))?.flatten();
        names.tags = names.tags(client, &told.tags)?;
        names.link_field = names.unless_refused(client.ensure_custom_field(LINK_FIELD))?;
        Ok(names)
    }

    /// What of it is said with these: the rest is said when it can be.
    pub fn said(&self, told: &Described) -> Described {
        let all_tags = self.tags.len() == told.tags.len();
        Described {
            correspondent: told.correspondent.clone().filter(|_| self.correspondent.is_some()),
            document_type: told.document_type.clone().filter(|_| self.document_type.is_some()),
            tags: if all_tags { told.tags.clone() } else { Vec::new() },
            link: if self.link_field.is_some() { told.link.clone() } else { String::new() },
            ..told.clone()
        }
    }

    fn tags(&mut self, client: &Client, tags: &[String]) -> Result<Vec<i64>, Fault> {
        let mut ids = Vec::new();
        for tag in tags {
            ids.extend(self.unless_refused(client.ensure_tag(tag))?);
        }
        Ok(ids)
    }

    fn unless_refused<T>(&mut self, made: Result<T, Fault>) -> Result<Option<T>, Fault> {
        match made {
            Ok(made) => Ok(Some(made)),
            Err(fault @ (Fault::Right(_) | Fault::FieldType | Fault::Field(_))) => {
                self.without = Some(fault);
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }
}

/// What is said there of how it is described now: a title that was changed on both sides stays there until somebody chose.
pub fn to_say(copy: &Copy, now: &Described) -> Described {
    let title = copy.told().filter(|_| waits(copy)).map_or_else(|| now.title.clone(), |told| told.said.title);
    Described { title, ..now.clone() }
}

fn waits(copy: &Copy) -> bool {
    copy.reason.as_deref() == Some(theirs::TWO_TITLES)
}

/// Is something of that not said there yet?
pub fn has_news(copy: &Copy, now: &Described) -> bool {
    copy.told().is_none_or(|told| told.said != to_say(copy, now))
}

/// Says there what has changed here since the last time; what others wrote there stays. Of a document that was there before us, only our tags
/// and our link are new. Noted is what is said there then, and told why not all of it could be.
pub fn tell(client: &Client, copy: &mut Copy, now: &Described) -> Result<Option<Fault>, Fault> {
    let id = copy.document().ok_or(Fault::NotFound)?;
    let (now, before) = (to_say(copy, now), copy.told().map(|told| told.said));
    let mut names = Names::ensure(client, &now)?;
    let gone: Vec<String> = before.iter().flat_map(|b| &b.tags).filter(|tag| !now.tags.contains(tag)).cloned().collect();
    let remove_tags = names.tags(client, &gone)?;
    let set_fields: Vec<_> = names.link_field.map(|field| (field, serde_json::json!(now.link))).into_iter().collect();
    let mut change = Change { add_tags: &names.tags, remove_tags: &remove_tags, set_fields: &set_fields, ..Change::default() };
    if let Some(before) = &before {
        // A name that could not be made takes nobody else's away.
        let differs = |before: &Option<String>, now: &Option<String>, id: Option<i64>| {
            (before != now && (id.is_some() || now.is_none())).then_some(id)
        };
        change.title = (before.title != now.title).then_some(now.title.as_str());
        change.created = now.created.filter(|_| before.created != now.created);
        change.correspondent = differs(&before.correspondent, &now.correspondent, names.correspondent);
        change.document_type = differs(&before.document_type, &now.document_type, names.document_type);
    }
    match client.change(id, &change) {
        Ok(after) => {
            let said = names.said(&now);
            let mut tags: Vec<String> = copy.seen_tags.iter().flat_map(|tags| tags.lines()).map(str::to_owned).collect();
            tags.retain(|tag| !gone.contains(tag));
            tags.extend(said.tags.iter().filter(|tag| !tags.contains(tag)).cloned().collect::<Vec<_>>());
            (copy.seen_title, copy.seen_tags) = (Some(after.title.clone()), Some(tags.join("\n")));
            let settled = copy.told().filter(|_| waits(copy)).and_then(|told| told.there).map_or(after.title, |there| there.title);
            copy.note_told(&Told { said, there: Some(There { title: settled, tags }) });
            Ok(names.without)
        }
        // It is said again when the right is there.
        Err(fault @ Fault::Right(_)) => Ok(Some(fault)),
        Err(fault) => Err(fault),
    }
}
