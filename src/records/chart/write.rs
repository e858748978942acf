//! What changes records: each way writes the version, the audit and the search entry along with the record.

use diesel::{prelude::*, sql_types::Text};

use super::{Chart, Draft, Link, Loaded, headings};
use crate::{
    access::{AtLeast, Edit},
    audit::{Action, Event},
    db::{
        Conn, Tx, search,
        types::{PatientId, RecordId},
    },
    error::{Error, Result},
    patients,
    records::{
        AnyRecord, Kind,
        field::{Input, Mode},
        input, linked,
        query::ListQuery,
        schema::{record_links, record_versions, records},
        staged,
        stored::{self, Head},
        version::{Snapshot, Version},
    },
    tags,
};

impl<L: AtLeast<Edit>> Chart<'_, L> {
    /// Stores a new record.
    pub fn add(&self, tx: &mut Tx<'_>, draft: &Draft) -> Result<RecordId> {
        self.add_as(tx, RecordId::new(), draft)
    }

    /// Stores a new record under an id made before.
    pub fn add_as(&self, tx: &mut Tx<'_>, id: RecordId, draft: &Draft) -> Result<RecordId> {
        self.adopt(tx, &id, draft, None)?;
        self.tie(tx, &id, draft)?;
        Ok(id)
    }

    /// Stores a new record under an id made before, all but its ties: the other ends of an import's ties may not be stored yet. Version 1
    /// tells of them already, so that [`Chart::tie`] makes no second one. A record of a stage is seen when the stage is revealed.
    pub fn adopt(&self, tx: &mut Tx<'_>, id: &RecordId, draft: &Draft, stage: Option<&str>) -> Result<()> {
        let who = Some(self.access.actor.user.to_string());
        let mut head = Head {
            id: id.clone(),
            patient_id: self.access.id().clone(),
            kind: self.kind.name.to_owned(),
            title: String::new(),
            occurred_on: None,
            ended_on: None,
            status: None,
            practitioner_id: None,
            sensitivity: String::new(),
            notes: None,
            source: draft.source.clone(),
            version: 1,
            created_by: who.clone(),
            created_at: self.access.now,
            updated_by: who,
            updated_at: self.access.now,
            deleted_at: stage.map(|_| staged::unseen()),
        };
        head.take(draft.entry.as_ref());
        diesel::insert_into(records::table).values(&head).execute(&mut **tx)?;
        if let Some(stage) = stage {
            staged::note(tx, stage, staged::Sort::Record, id.as_str())?;
        }
        draft.entry.insert(tx, id)?;
        draft.entry.insert_children(tx, id)?;
        let tags = draft.tags.as_deref().unwrap_or_default();
        if !tags.is_empty() {
            tags::set(tx, self.access, id, tags)?;
        }
        let links = draft.links.as_deref().unwrap_or_default();
        self.written(tx, &head, draft.entry.as_ref(), tags, links, Action::Created)
    }

    /// The ties of a record that was just adopted.
    pub fn tie(&self, tx: &mut Tx<'_>, id: &RecordId, draft: &Draft) -> Result<()> {
        self.insert_links(tx, id, draft.entry.as_ref(), draft.links.as_deref().unwrap_or_default())
    }

    /// Replaces a record. `expected` is the version the person saw; a double click or an unchanged form makes no new version.
    pub fn change(&self, tx: &mut Tx<'_>, id: &RecordId, expected: i32, draft: &Draft) -> Result<i32> {
        let current = self.find(tx, id, false)?;
        if current.head.version != expected {
            return Err(Error::Stale { current: current.head.version });
        }
        let kept = linked::kept(tx, self.access, self.kind, current.entry.as_ref(), draft.entry.as_ref())?;
        let entry = kept.as_deref().unwrap_or(draft.entry.as_ref());
        let old_tags: Vec<String> = current.tags.iter().map(|tag| tag.name.clone()).collect();
        let old_links = self.outgoing(tx, id)?;
        let tags = draft.tags.clone().unwrap_or_else(|| old_tags.clone());
        let links = draft.links.clone().unwrap_or_else(|| old_links.clone());
        let before = Snapshot::of(self.kind, current.entry.as_ref(), &old_tags, &old_links);
        if before == Snapshot::of(self.kind, entry, &tags, &links) {
            return Ok(expected);
        }
        let mut head = self.touched(current.head, &draft.source);
        head.take(entry);
        diesel::update(records::table.find(id)).set(&head).execute(&mut **tx)?;
        entry.update(tx, id)?;
        if let Some(children) = &self.kind.children {
            diesel::sql_query(format!("DELETE FROM {} WHERE record_id = $1", children.table)).bind::<Text, _>(id).execute(&mut **tx)?;
            entry.insert_children(tx, id)?;
        }
        self.write_links(tx, id, entry, &links)?;
        tags::set(tx, self.access, id, &tags)?;
        self.written(tx, &head, entry, &tags, &links, Action::Changed)?;
        Ok(head.version)
    }

    /// Into the trash, from where it comes back whole.
    pub fn remove(&self, tx: &mut Tx<'_>, id: &RecordId, expected: i32) -> Result<()> {
        let current = self.find(tx, id, false)?;
        if current.head.version != expected {
            return Err(Error::Stale { current: current.head.version });
        }
        self.mark(tx, current, true)
    }

    /// Out of the trash.
    pub fn restore(&self, tx: &mut Tx<'_>, id: &RecordId) -> Result<()> {
        let trashed = self.find(tx, id, true)?;
        self.mark(tx, trashed, false)
    }

    fn mark(&self, tx: &mut Tx<'_>, current: Loaded, deleted: bool) -> Result<()> {
        let id = current.head.id.clone();
        let tags: Vec<String> = current.tags.iter().map(|tag| tag.name.clone()).collect();
        let links = self.outgoing(tx, &id)?;
        let source = current.head.source.clone();
        let mut head = self.touched(current.head, &source);
        head.deleted_at = deleted.then_some(self.access.now);
        diesel::update(records::table.find(&id)).set(&head).execute(&mut **tx)?;
        let action = if deleted { Action::Deleted } else { Action::Restored };
        self.written(tx, &head, current.entry.as_ref(), &tags, &links, action)
    }

    /// The record as a version had it, as a draft: tags and links that are gone since are left out.
    pub fn as_it_was(&self, conn: &mut Conn, id: &RecordId, version: i32) -> Result<Draft> {
        let text: String =
            record_versions::table.find((id, version)).select(record_versions::snapshot).first(conn).optional()?.ok_or(Error::NotFound)?;
        let snapshot = Snapshot::from_text(&text).ok_or_else(|| Error::Internal("a version cannot be read".into()))?;
        let mut entry = (self.kind.blank)();
        let raw = input::Raw { fields: snapshot.fields, children: Some(snapshot.children) };
        // Old versions may hold columns that are gone or values a newer rule refuses; what can be brought back is.
        let _ = input::fill(self.kind, entry.as_mut(), &raw, Mode::Strict);
        for (name, _) in input::check_kept_references(conn, self.access, self.kind, entry.as_ref(), Some(id))? {
            if let Some((index, _)) = self.kind.field(&name) {
                let _ = entry.set(index, "", Mode::Strict);
            }
        }
        let mut links = snapshot.links;
        let ids: Vec<RecordId> = links.iter().map(|link| link.to.clone()).collect();
        let alive = headings(conn, self.access, &ids)?;
        links.retain(|link| alive.contains_key(&link.to));
        // Ties to records this person does not see are not theirs to take away.
        let now = self.outgoing(conn, id)?;
        let ends: Vec<RecordId> = now.iter().map(|link| link.to.clone()).collect();
        let seen = headings(conn, self.access, &ends)?;
        links.extend(now.into_iter().filter(|link| !seen.contains_key(&link.to)));
        Ok(Draft { entry, tags: Some(snapshot.tags), links: Some(links), source: "person".into() })
    }

    fn touched(&self, mut head: Head, source: &str) -> Head {
        head.version = head.version.saturating_add(1);
        head.updated_by = Some(self.access.actor.user.to_string());
        head.updated_at = self.access.now;
        source.clone_into(&mut head.source);
        head
    }

    /// Ties of this record: its columns that are links, and the free ones. Only ends within the access can be named.
    fn write_links(&self, tx: &mut Tx<'_>, id: &RecordId, entry: &dyn AnyRecord, links: &[Link]) -> Result<()> {
        diesel::delete(record_links::table.filter(record_links::from_id.eq(id))).execute(&mut **tx)?;
        self.insert_links(tx, id, entry, links)
    }

    fn insert_links(&self, tx: &mut Tx<'_>, id: &RecordId, entry: &dyn AnyRecord, links: &[Link]) -> Result<()> {
        let columns = entry.head().links.iter().map(|(relation, to)| Link { relation: (*relation).to_owned(), to: to.clone(), note: None });
        for link in columns.chain(links.iter().cloned()) {
            diesel::insert_into(record_links::table)
                .values((
                    record_links::patient_id.eq(self.access.id()),
                    record_links::from_id.eq(id),
                    record_links::to_id.eq(&link.to),
                    record_links::relation.eq(&link.relation),
                    record_links::relevance_note.eq(&link.note),
                    record_links::created_at.eq(self.access.now),
                ))
                .execute(&mut **tx)?;
        }
        Ok(())
    }

    /// What every write leaves behind: numbers for sorting, the version, the search entry, the audit, the one primary, no "there are none".
    fn written(&self, tx: &mut Tx<'_>, head: &Head, entry: &dyn AnyRecord, tags: &[String], links: &[Link], action: Action) -> Result<()> {
        stored::write_numbers(tx, self.kind, entry, &head.id)?;
        let version = Version {
            record_id: head.id.clone(),
            version: head.version,
            action: action.word().to_owned(),
            actor: self.access.actor.user.to_string(),
            actor_name: self.access.actor.name.clone(),
            source: head.source.clone(),
            at: self.access.now,
            snapshot: Snapshot::of(self.kind, entry, tags, links).to_text(),
        };
        diesel::insert_into(record_versions::table).values(&version).execute(&mut **tx)?;
        if head.deleted_at.is_some_and(|at| at < staged::unseen()) {
            search::remove(tx, &head.id)?;
        } else {
            let put = if action == Action::Created { search::add } else { search::put };
            put(tx, self.access.id(), &head.id, &searchable(self.kind, head, entry, tags))?;
            if self.kind.none_known && matches!(action, Action::Created | Action::Restored) {
                patients::none_known::withdraw(tx, &self.access.actor, self.access.id(), self.kind.name, self.access.now)?;
            }
            self.keep_exclusive(tx, head, entry)?;
        }
        Event::new(&self.access.actor, action, self.access.now)
            .patient(self.access.id())
            .record(self.kind.name, &head.id, head.version)
            .write(tx)?;
        Ok(())
    }

    /// One primary contact, one primary policy a type: the newest "yes" wins, and the others say "no" in a version of their own.
    fn keep_exclusive(&self, tx: &mut Tx<'_>, head: &Head, entry: &dyn AnyRecord) -> Result<()> {
        let Some((index, _)) = self.kind.exclusive.and_then(|(flag, _)| self.kind.field(flag)) else { return Ok(()) };
        for other in self.rivals(tx, &head.id, entry)? {
            let mut draft = Draft { entry: other.entry, tags: None, links: None, source: other.head.source.clone() };
            let _ = draft.entry.set(index, "false", Mode::Strict);
            self.change(tx, &other.head.id, other.head.version, &draft)?;
        }
        Ok(())
    }

    /// Other records that carry the flag which this entry claims and only one record may have.
    pub fn rivals(&self, conn: &mut Conn, id: &RecordId, entry: &dyn AnyRecord) -> Result<Vec<Loaded>> {
        let Some((flag, within)) = self.kind.exclusive else { return Ok(Vec::new()) };
        let Some((index, _)) = self.kind.field(flag) else { return Ok(Vec::new()) };
        if entry.get(index).as_deref() != Some("true") {
            return Ok(Vec::new());
        }
        let same = within.and_then(|name| self.kind.field(name)).map(|(i, _)| i);
        let query = ListQuery { page: 1, per_page: 1000, filters: vec![(flag, vec!["true".to_owned()])], ..ListQuery::default() };
        let mut found = self.list(conn, &query)?.0;
        found.retain(|other| other.head.id != *id && same.is_none_or(|i| other.entry.get(i) == entry.get(i)));
        Ok(found)
    }
}

/// Everything a person could look for in a record.
fn searchable(kind: &Kind, head: &Head, entry: &dyn AnyRecord, tags: &[String]) -> String {
    let wanted = |input: &Input| {
        !matches!(input, Input::Practitioner | Input::Pharmacy | Input::Patient | Input::Record(_) | Input::Sensitivity | Input::Flag)
    };
    let mut parts = vec![head.title.clone()];
    parts.extend(kind.fields.iter().enumerate().filter(|(_, f)| wanted(&f.input)).filter_map(|(i, _)| entry.get(i)));
    if let Some(children) = &kind.children {
        for row in 0..entry.child_count() {
            parts.extend((0..children.fields.len()).filter_map(|i| entry.child(row, i)));
        }
    }
    parts.extend(tags.iter().cloned());
    parts.join(" ")
}

/// Removes for good what has lain in the trash since before `limit`; the audit keeps that it was there.
pub fn purge(tx: &mut Tx<'_>, limit: chrono::NaiveDateTime, now: chrono::NaiveDateTime) -> Result<usize> {
    let due: Vec<(RecordId, PatientId, String, i32)> = records::table
        .filter(records::deleted_at.lt(limit))
        .limit(500)
        .select((records::id, records::patient_id, records::kind, records::version))
        .load(&mut **tx)?;
    for (id, patient, kind, version) in &due {
        search::remove(tx, id)?;
        diesel::delete(records::table.find(id)).execute(&mut **tx)?;
        Event::by_the_program(Action::Purged, now).patient(patient).record(kind, id, *version).write(tx)?;
    }
    Ok(due.len())
}
