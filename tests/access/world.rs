//! What the matrix asks about: a patient with records of every kind in every state that a share can tell apart, and a word in each text that
//! stands nowhere else, so that an answer shows what it told of.

use std::collections::HashMap;

use diesel::{
    ExpressionMethods, QueryDsl, RunQueryDsl,
    sql_types::{Text, Timestamp},
};
use kinchart::{
    access::{self, Edit, Own},
    auth::sealed::{self, Purpose},
    db::{
        schema::{file_previews, files as file_rows, patients as patient_rows, throttles},
        types::{FileId, PatientId, PractitionerId, RecordId},
    },
    files::{
        self, Details, NewFile, blobs, prepared,
        quota::Quota,
        shelf::{self, Place},
    },
    interchange::merge::{PatientReport, Report},
    patients,
    records::{self, Kind, field::Input},
    storage::kinds,
};

use crate::common::{Person, Share, TestApp, paper, sample::Sample};

/// What every planted word begins with.
pub const CANARY: &str = "canary";
/// The key of everything that an import is said to have brought.
pub const KEY: &str = "a-key";

/// A planted record, by what a share can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Tagged, nothing sensitive: within every share of its kind.
    Open,
    /// Not tagged.
    Plain,
    /// Tagged, and sensitive.
    Secret,
    /// The same three in the trash.
    Gone,
    GonePlain,
    GoneSecret,
    /// Of another patient, asked for under Ada's address; where no record is asked for, that patient's own address.
    Foreign,
    /// No record: the patient who lies in the trash, asked for by those whose patient she is.
    Thrown,
}

impl Slot {
    const ALL: [Self; 7] = [Self::Open, Self::Plain, Self::Secret, Self::Gone, Self::GonePlain, Self::GoneSecret, Self::Foreign];

    fn is_tagged(self) -> bool {
        matches!(self, Self::Open | Self::Secret | Self::Gone | Self::GoneSecret)
    }
    fn is_sensitive(self) -> bool {
        matches!(self, Self::Secret | Self::GoneSecret)
    }
    fn is_gone(self) -> bool {
        matches!(self, Self::Gone | Self::GonePlain | Self::GoneSecret)
    }
    /// The same in the trash.
    pub fn gone(self) -> Self {
        match self {
            Self::Open => Self::Gone,
            Self::Plain => Self::GonePlain,
            Self::Secret => Self::GoneSecret,
            other => other,
        }
    }
    pub fn letters(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Plain => "plain",
            Self::Secret => "secret",
            Self::Gone => "gone",
            Self::GonePlain => "goneplain",
            Self::GoneSecret => "gonesecret",
            Self::Foreign => "foreign",
            Self::Thrown => "thrown",
        }
    }
}

/// What a word tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    Record(&'static str, Slot),
    /// A name of the household's directory or one of its tags, which a record carries too.
    House(&'static str, Slot),
    /// Ada herself, whom every share of hers shows.
    Ada,
    /// What belongs to no kind: for who sees everything.
    Whole,
    /// A document of the household's inbox, or of one of its practitioners.
    Shelf,
    /// The owner's other patients, the owner's own import.
    Owner,
    /// A patient of both owners who lies in the trash.
    Cleo,
}

/// How much of Ada somebody sees.
#[derive(Clone, Debug)]
pub enum Sees {
    Nothing,
    Everything,
    Kinds(Vec<&'static str>),
    Tagged,
    WithoutSensitive,
}

impl Sees {
    pub fn kind(&self, kind: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Kinds(kinds) => kinds.contains(&kind),
            Self::Everything | Self::Tagged | Self::WithoutSensitive => true,
        }
    }
    pub fn record(&self, kind: &str, slot: Slot) -> bool {
        let within = match self {
            Self::Tagged => slot.is_tagged(),
            Self::WithoutSensitive => !slot.is_sensitive(),
            _ => true,
        };
        slot != Slot::Foreign && within && self.kind(kind)
    }
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Everything)
    }
}

pub struct World {
    pub t: TestApp,
    pub owner: Person,
    pub ada: PatientId,
    pub bea: PatientId,
    pub cleo: PatientId,
    pub tag: String,
    pub entry: String,
    pub import: String,
    /// Of somebody who asks nothing here.
    pub share: String,
    /// Taken back, sent by the owner to the same.
    pub invitation: String,
    /// The end of its link.
    pub joining: String,
    /// A professional's link of the whole record with a passcode, and the end of its address.
    pub link: String,
    pub visiting: String,
    /// A document of the household's inbox, and one of the practitioner's; and one each that lies in the trash.
    pub document: FileId,
    pub thrown_document: FileId,
    pub paper: FileId,
    pub thrown_paper: FileId,
    records: HashMap<(&'static str, Slot), RecordId>,
    /// Papers of living records; those called gone lie in the trash.
    files: HashMap<(&'static str, Slot), FileId>,
    words: HashMap<String, Tells>,
}

impl World {
    pub async fn new() -> Self {
        let t = TestApp::new().await;
        // What ends at this moment has ended at this moment, however long the rest takes.
        t.app.clock.stop();
        let owner = t.user("owner");
        let person = |first: &str| {
            owner.patient_with(&[
                ("first_name", first),
                ("last_name", "Lovelace"),
                ("birth_date", "1960"),
                ("address", &format!("{CANARY}{first}")),
            ])
        };
        let (ada, bea, cleo) = (person("ada"), person("bea"), person("cleo"));
        let entry = owner.practitioner("Dr Entry");
        let mut world = Self {
            tag: owner.tag("School"),
            entry,
            import: String::new(),
            share: String::new(),
            invitation: String::new(),
            joining: String::new(),
            link: String::new(),
            visiting: String::new(),
            document: FileId::new(),
            thrown_document: FileId::new(),
            paper: FileId::new(),
            thrown_paper: FileId::new(),
            records: HashMap::new(),
            files: HashMap::new(),
            words: HashMap::new(),
            t,
            owner,
            ada,
            bea,
            cleo,
        };
        for (word, tells) in [
            ("ada", Tells::Ada),
            ("bea", Tells::Owner),
            ("cleo", Tells::Cleo),
            ("whole", Tells::Whole),
            ("report", Tells::Owner),
            ("shelf", Tells::Shelf),
            ("shelfinside", Tells::Shelf),
        ] {
            world.words.insert(format!("{CANARY}{word}"), tells);
        }
        for kind in records::kinds() {
            for (variant, slot) in Slot::ALL.into_iter().enumerate() {
                world.plant(kind, slot, variant + 1).await;
            }
        }
        world.file_papers();
        world.shelve();
        for patient in [&world.ada, &world.bea, &world.cleo] {
            world.hang(patient);
        }
        world.bring_in();
        world.give().await;
        world.throw_away(&world.cleo);
        world
    }

    pub fn file(&self, kind: &'static Kind, slot: Slot) -> &FileId {
        &self.files[&(kind.name, slot)]
    }

    /// A paper of each living record of the kinds that have papers here, one of it in the trash, and one of Ada's own. Their words are their
    /// records'.
    fn file_papers(&mut self) {
        for kind in kinds_with_papers() {
            for slot in [Slot::Open, Slot::Plain, Slot::Secret, Slot::Foreign] {
                let patient = if slot == Slot::Foreign { self.bea.clone() } else { self.ada.clone() };
                let record = Some(self.record(kind, slot).clone());
                let letters: String = kind.name.chars().filter(char::is_ascii_alphabetic).collect();
                let word = format!("{CANARY}{letters}{}", slot.letters());
                self.words.insert(format!("{word}inside"), Tells::Record(kind.name, slot));
                let id = self.paper_of(&patient, record.clone(), &word);
                self.files.insert((kind.name, slot), id);
                if slot != Slot::Foreign {
                    let gone = self.paper_of(&patient, record, &word);
                    self.lay(&gone, true);
                    self.files.insert((kind.name, slot.gone()), gone);
                }
            }
        }
        self.words.insert(format!("{CANARY}wholeinside"), Tells::Whole);
        self.paper_of(&self.ada.clone(), None, &format!("{CANARY}whole"));
    }

    /// A document of the inbox and one of the practitioner's, each also in the trash, and one that was filed with Ada.
    fn shelve(&mut self) {
        let entry = Place::Practitioner(PractitionerId::parse(&self.entry).unwrap());
        self.document = self.shelved(&Place::Inbox(None), "shelf");
        self.thrown_document = self.shelved(&Place::Inbox(None), "shelf");
        self.paper = self.shelved(&entry, "shelf");
        self.thrown_paper = self.shelved(&entry, "shelf");
        self.lay(&self.thrown_document, true);
        self.lay(&self.thrown_paper, true);
    }

    pub fn shelved(&self, place: &Place, word: &str) -> FileId {
        let new = self.bytes(&format!("{CANARY}{word}"));
        let (actor, now) = (self.owner.actor(), self.t.now());
        let added = self.owner.db().write(|tx| {
            let place = shelf::grant::<Edit>(tx, &actor, place, now)?;
            place.add(tx, Quota::default(), &new, &Details { description: Some(new.name.clone()), ..Details::default() })
        });
        let id = added.unwrap();
        self.draw(&id);
        id
    }

    /// Bytes that tell the word, in the store and nobody's yet.
    fn bytes(&self, word: &str) -> NewFile {
        let app = &self.t.app;
        let (name, key) = blobs::expect(app, app.storage.as_ref()).unwrap();
        let mut incoming = app.storage.begin(&name, &key).unwrap();
        incoming.write(format!("{word}inside is written here").as_bytes()).unwrap();
        let blob = blobs::Kept { name, arrived: incoming.finish().unwrap() };
        NewFile { blob, name: format!("{word}.txt"), kind: kinds::kind("text/plain").unwrap() }
    }

    fn paper_of(&self, patient: &PatientId, record: Option<RecordId>, word: &str) -> FileId {
        let new = self.bytes(word);
        let details = Details { record, description: Some(word.to_owned()), ..Details::default() };
        let (actor, now) = (self.owner.actor(), self.t.now());
        let added = self.owner.db().write(|tx| {
            let access = access::grant::<Edit>(tx, &actor, patient, now)?;
            files::add(tx, &access, Quota::default(), &new, &details)
        });
        let id = added.unwrap();
        // What is inside is found from here on.
        prepared::prepare(&self.t.app, id.as_str()).unwrap();
        self.draw(&id);
        id
    }

    /// A picture of the document's first page.
    fn draw(&self, id: &FileId) {
        let kept = self.picture();
        let add = |tx: &mut kinchart::db::Tx<'_>| {
            blobs::keep(tx, &kept)?;
            let (blob, size) = (kept.name.as_str().to_owned(), i64::try_from(kept.arrived.size).unwrap());
            let row = prepared::Preview { file_id: id.clone(), page: 1, blob, width: 1, height: 1, size };
            Ok(diesel::insert_into(file_previews::table).values(&row).execute(&mut **tx)?)
        };
        self.owner.db().write(add).unwrap();
    }

    /// A picture that is nobody's yet.
    fn picture(&self) -> blobs::Kept {
        blobs::store(&self.t.app, &paper::jpeg(&paper::grey(1, 1))).unwrap()
    }

    /// The patient's photograph, again if it was taken down.
    pub fn hang(&self, patient: &PatientId) {
        let kept = self.picture();
        let hang = |tx: &mut kinchart::db::Tx<'_>| {
            blobs::keep(tx, &kept)?;
            Ok(diesel::update(patient_rows::table.find(patient)).set(patient_rows::photo.eq(kept.name.as_str())).execute(&mut **tx)?)
        };
        self.owner.db().write(hang).unwrap();
    }

    /// Into the trash or out of it.
    pub fn lay(&self, file: &FileId, in_trash: bool) {
        let at = in_trash.then(|| self.t.now());
        let row = file_rows::table.find(file);
        self.owner.db().write(|tx| Ok(diesel::update(row).set(file_rows::deleted_at.eq(at)).execute(&mut **tx)?)).unwrap();
    }

    pub fn record(&self, kind: &'static Kind, slot: Slot) -> &RecordId {
        &self.records[&(kind.name, slot)]
    }

    /// What the word tells of; everything that begins like one of ours is one of ours. A drawing cuts long names: then it may be any that
    /// begins so.
    pub fn tells(&self, word: &str) -> Vec<Tells> {
        if let Some(tells) = self.words.get(word) {
            return vec![*tells];
        }
        let cut: Vec<Tells> = self.words.iter().filter(|(whole, _)| whole.starts_with(word)).map(|(_, tells)| *tells).collect();
        assert!(!cut.is_empty(), "{word} was never planted");
        cut
    }

    async fn plant(&mut self, kind: &'static Kind, slot: Slot, variant: usize) {
        let letters: String = kind.name.chars().filter(char::is_ascii_alphabetic).collect();
        let word = format!("{CANARY}{letters}{}", slot.letters());
        let house = format!("{word}house");
        self.words.insert(word.clone(), Tells::Record(kind.name, slot));
        self.words.insert(house.clone(), Tells::House(kind.name, slot));
        let owner = self.owner.clone();
        let patient = if slot == Slot::Foreign { self.bea.clone() } else { self.ada.clone() };
        let mut sample = marked(kind, Sample::full(&owner, &patient, kind, variant), &word);
        for spec in &kind.fields {
            match spec.input {
                Input::Practitioner => sample = sample.with(spec.name, &owner.practitioner(&house)),
                Input::Pharmacy => sample = sample.with(spec.name, &owner.pharmacy(&house)),
                _ => {}
            }
        }
        if slot.is_sensitive() {
            sample = sample.with("sensitivity", "mental_health");
        }
        let tags: &[&str] = if slot.is_tagged() { &["School", &house] } else { &[&house] };
        let id = owner.record(&patient, kind, &sample.tagged(tags));
        self.imported(&patient, &id, &word);
        // From what everybody sees to what only some see, with a word of the other's.
        if matches!(slot, Slot::Plain | Slot::Secret) {
            let open = self.record(kind, Slot::Open);
            let page = format!("/patients/{patient}/{}/{open}/links", kind.name);
            owner.post(&page, &[("to", id.as_str()), ("relation", "related"), ("note", &word)]).await.location();
        }
        if slot.is_gone() {
            self.remove(kind, &id);
        }
        self.records.insert((kind.name, slot), id);
    }

    /// As if the record had come from elsewhere, and its source told something newer since.
    fn imported(&self, patient: &PatientId, record: &RecordId, word: &str) {
        let now = self.t.now();
        self.owner
            .db()
            .write(|tx| {
                let text = "INSERT INTO record_origins (record_id, patient_id, source_key, resource_type, fingerprint, told, original, imported_at) \
                            VALUES ($1, $2, $3, 'Thing', '', '{}', $4, $5)";
                diesel::sql_query(text)
                    .bind::<Text, _>(record.as_str())
                    .bind::<Text, _>(patient.as_str())
                    .bind::<Text, _>(record.as_str())
                    .bind::<Text, _>(word)
                    .bind::<Timestamp, _>(now)
                    .execute(&mut **tx)?;
                Ok(())
            })
            .unwrap();
        self.offer(record, word);
    }

    /// A newer value of the notes, waiting for an answer.
    pub fn offer(&self, record: &RecordId, word: &str) {
        let now = self.t.now();
        self.owner
            .db()
            .write(|tx| {
                let before = "DELETE FROM import_offers WHERE record_id = $1";
                diesel::sql_query(before).bind::<Text, _>(record.as_str()).execute(&mut **tx)?;
                let text = "INSERT INTO import_offers (record_id, field, value, offered_at) VALUES ($1, 'notes', $2, $3)";
                diesel::sql_query(text)
                    .bind::<Text, _>(record.as_str())
                    .bind::<Text, _>(word)
                    .bind::<Timestamp, _>(now)
                    .execute(&mut **tx)?;
                Ok(())
            })
            .unwrap();
    }

    /// What belongs to no record: originals of Ada and of a practitioner, a leftover, the report of an import.
    fn bring_in(&mut self) {
        let (now, household, entry) = (self.t.now(), self.owner.household.clone(), self.entry.clone());
        self.owner
            .db()
            .write(|tx| {
                for (table, more, values) in [
                    ("imported_leftovers", "reason, ", "'no_home', "),
                    ("patient_originals", "", ""),
                ] {
                    let text = format!(
                        "INSERT INTO {table} (patient_id, source_key, resource_type, {more}fingerprint, original, imported_at) \
                         VALUES ($1, '{KEY}', 'Patient', {values}'', '{CANARY}whole', $2)"
                    );
                    diesel::sql_query(text).bind::<Text, _>(self.ada.as_str()).bind::<Timestamp, _>(now).execute(&mut **tx)?;
                }
                let text = format!(
                    "INSERT INTO directory_originals (household_id, list, entry_id, source_key, resource_type, fingerprint, original, imported_at) \
                     VALUES ($1, 'practitioners', $2, '{KEY}', 'Practitioner', '', 'Dr Entry', $3)"
                );
                diesel::sql_query(text)
                    .bind::<Text, _>(household.as_str())
                    .bind::<Text, _>(&entry)
                    .bind::<Timestamp, _>(now)
                    .execute(&mut **tx)?;
                Ok(())
            })
            .unwrap();
        let of_ada = PatientReport { patient: Some(self.ada.clone()), name: format!("{CANARY}report"), ..PatientReport::default() };
        self.import = self.owner.imported(&self.ada, &Report { patients: vec![of_ada], problems: Vec::new() });
    }

    /// A share, an invitation and a link to ask about.
    async fn give(&mut self) {
        let spare = self.t.stranger("spare");
        self.owner.share(&self.ada, &spare, &Share::default());
        self.share = self.one("SELECT id AS text FROM patient_shares");
        self.invitation = self.owner.invite(&self.ada, &spare, "cancelled");
        let key = &self.t.app.key;
        self.joining = sealed::text(key, Purpose::Invitation, &self.invitation, 1);
        let form = [("set", "everything"), ("lasts", "1h"), ("passcode_from", "made"), ("title", "Dr Link")];
        self.owner.post(&format!("/patients/{}/links", self.ada), &form).await;
        self.link = self.one("SELECT id AS text FROM professional_links");
        self.visiting = sealed::text(key, Purpose::ProfessionalLink, &self.link, 1);
    }

    fn one(&self, text: &str) -> String {
        #[derive(diesel::QueryableByName)]
        struct One {
            #[diesel(sql_type = Text)]
            text: String,
        }
        self.owner.db().read(|conn| Ok(diesel::sql_query(text).get_result::<One>(conn)?)).unwrap().text
    }

    /// Whoever gave a share back, ended one, gave up their part or took a link away: as before.
    pub fn give_again(&self) {
        let (now, owner) = (self.t.now(), &self.owner.id);
        self.owner
            .db()
            .write(|tx| {
                for text in [
                    // The one that was taken back from the beginning stays so.
                    "UPDATE patient_shares SET is_active = TRUE WHERE ended_told_at IS NOT NULL".to_owned(),
                    "UPDATE patient_shares SET ended_told_at = NULL".to_owned(),
                    format!("UPDATE professional_links SET revoked_at = NULL, wrong_tries = 0 WHERE id = '{}'", self.link),
                    format!("UPDATE patients SET owner_user_id = '{owner}' WHERE id = '{}'", self.ada),
                ] {
                    diesel::sql_query(text).execute(&mut **tx)?;
                }
                let owners = "INSERT INTO patient_owners (patient_id, user_id, created_at) SELECT $1, u.id, $2 FROM users u \
                    WHERE u.username IN ('owner', 'second') AND NOT EXISTS \
                    (SELECT 1 FROM patient_owners o WHERE o.patient_id = $3 AND o.user_id = u.id)";
                diesel::sql_query(owners)
                    .bind::<Text, _>(self.ada.as_str())
                    .bind::<Timestamp, _>(now)
                    .bind::<Text, _>(self.ada.as_str())
                    .execute(&mut **tx)?;
                Ok(())
            })
            .unwrap();
    }

    /// Into the trash, through the library.
    pub fn remove(&self, kind: &'static Kind, id: &RecordId) {
        let (actor, now) = (self.owner.actor(), self.t.now());
        let removed = self.owner.db().write(|tx| {
            let access = access::grant::<Edit>(tx, &actor, &self.ada, now)?;
            let chart = access.chart(kind)?;
            let version = chart.version(tx, id)?;
            chart.remove(tx, id, version)
        });
        removed.unwrap_or_else(|error| panic!("{} {id}: {error}", kind.name));
    }

    /// A patient into the trash, through the library.
    pub fn throw_away(&self, patient: &PatientId) {
        let (actor, now) = (self.owner.actor(), self.t.now());
        let removed = self.owner.db().write(|tx| {
            let access = access::grant::<Own>(tx, &actor, patient, now)?;
            patients::remove(tx, &access, access.patient.version)
        });
        removed.unwrap();
    }

    /// And back.
    pub fn bring_back(&self, patient: &PatientId) {
        let (actor, now) = (self.owner.actor(), self.t.now());
        self.owner.db().write(|tx| patients::restore(tx, &actor, patient, now)).unwrap();
    }

    pub fn forget_guesses(&self) {
        self.owner.db().write(|tx| Ok(diesel::delete(throttles::table).execute(&mut **tx)?)).unwrap();
    }

    /// Versions of what lives, which no refused request changes.
    pub fn versions(&self) -> Vec<(&'static str, Slot, i32)> {
        let living = [Slot::Open, Slot::Plain, Slot::Secret];
        let all = records::kinds().iter().flat_map(|kind| living.map(|slot| (kind, slot)));
        all.map(|(kind, slot)| (kind.name, slot, self.owner.load(&self.ada, kind, self.record(kind, slot)).head.version)).collect()
    }

    /// How many living records there are of each kind.
    pub fn counts(&self) -> Vec<(&'static str, i64)> {
        records::kinds().iter().map(|kind| (kind.name, self.owner.count(&self.ada, kind))).collect()
    }
}

/// One kind for each part of the matrix.
pub fn kinds_with_papers() -> impl Iterator<Item = &'static Kind> {
    records::kinds().iter().take(4)
}

/// The word in every text of the sample, in those of its children too.
fn marked(kind: &'static Kind, mut sample: Sample, word: &str) -> Sample {
    let mark = |input: Input, text: &mut String| match input {
        Input::Line | Input::Text => *text = format!("{word} {text}"),
        Input::Email => *text = format!("{word}@example.org"),
        Input::Details(_) => {
            let mut parts: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
            parts.values_mut().for_each(|part| *part = word.into());
            *text = serde_json::Value::Object(parts).to_string();
        }
        _ => {}
    };
    for (name, text) in &mut sample.fields {
        if let Some((_, spec)) = kind.field(name) {
            mark(spec.input, text);
        }
    }
    let fields = kind.children.as_ref().map(|children| children.fields.as_slice()).unwrap_or_default();
    for (name, text) in sample.children.iter_mut().flatten() {
        if let Some(spec) = fields.iter().find(|spec| spec.name == name) {
            mark(spec.input, text);
        }
    }
    sample
}
