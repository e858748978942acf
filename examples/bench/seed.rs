//! Databases of made-up families. The first ten patients are written the way the program writes: through charts, with versions, audit and
//! search entries. The others are copies of them under their own ids, made by SQL in this file alone, because a million records through
//! charts would take an hour.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail};
use chrono::NaiveDateTime;
use diesel::{
    Connection as _, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    sql_types::{BigInt, Text},
};
use kinchart::{
    access::{self, Actor, Own, PatientAccess},
    app::App,
    auth::accounts::{self, Details, NewAccount},
    config::Config,
    dates::PartialDate,
    db::{
        Db, Tx,
        types::{PatientId, RecordId},
    },
    directory::{Listed, Pharmacy, Practitioner},
    patients::{self, NewPatient, PatientFields},
    records::{
        self, Context, Kind,
        chart::{Draft, Link},
        field::{Errors, FieldSpec, Input, Mode},
        input::{self, Raw},
    },
    serve,
};
use sha2::{Digest, Sha256};

use crate::vocabulary::{
    ALLERGENS, COMPANIES, CONDITIONS, Dice, EQUIPMENT, FAMILY, FREQUENCIES, GIVEN, INJURIES, MEDICINES, OBSERVATIONS, PANELS, PLACES,
    PROCEDURES, REASONS, SYMPTOMS, TAGS, TESTS, TREATMENTS, VACCINES,
};

pub const PASSWORD: &str = "nine purple bicycles sing";
/// The first account and its patients are the ones measured.
pub const USER: &str = "family0";
const USERS: usize = 2;
const PATIENTS_OF_A_USER: usize = 5;
/// Copies of the ten patients in the large database, themselves included.
const COPIES: usize = 100;

/// How the thousand records of a patient divide. Encounters come first, because the others name them.
const MIX: &[(&str, usize)] = &[
    ("encounters", 120),
    ("medications", 150),
    ("conditions", 60),
    ("lab-results", 150),
    ("vitals", 250),
    ("allergies", 12),
    ("symptoms", 40),
    ("injuries", 20),
    ("observations", 70),
    ("immunizations", 30),
    ("procedures", 40),
    ("treatments", 30),
    ("equipment", 8),
    ("insurance", 4),
    ("emergency-contacts", 4),
    ("family-members", 12),
];

/// A folder as `KINCHART_DATA` names it.
pub struct Seeded {
    pub folder: PathBuf,
    pub patients: usize,
    pub records: usize,
}

/// The two databases, made if they are not there or were made by another version of schema or seeder.
pub fn databases(root: &Path) -> Result<(Seeded, Seeded)> {
    let patients = USERS * PATIENTS_OF_A_USER;
    let small = Seeded { folder: root.join("small"), patients, records: patients * 1000 };
    let large = Seeded { folder: root.join("large"), patients: patients * COPIES, records: patients * COPIES * 1000 };
    let (mark, made_by) = (root.join("made-by"), fingerprint()?);
    if fs::read_to_string(&mark).is_ok_and(|text| text == made_by) {
        return Ok((small, large));
    }
    let _ = fs::remove_dir_all(root);
    fs::create_dir_all(&large.folder)?;
    eprintln!("making {} records through charts ...", small.records);
    make_small(&small.folder)?;
    eprintln!("making {} records by copying ...", large.records);
    make_large(&small.folder, &large.folder)?;
    fs::write(mark, made_by)?;
    Ok((small, large))
}

/// Changes with every migration and with this file.
fn fingerprint() -> Result<String> {
    let mut all = Sha256::new();
    all.update(include_str!("seed.rs"));
    all.update(include_str!("vocabulary.rs"));
    let mut steps = Vec::new();
    for folder in ["common", "sqlite"] {
        for step in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder))? {
            steps.push(step?.path().join("up.sql"));
        }
    }
    steps.sort();
    for step in steps {
        all.update(fs::read(step)?);
    }
    Ok(all.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// The program's shared parts on a folder of its own.
pub fn open(folder: &Path) -> Result<App> {
    let vars = [("KINCHART_DATA", folder.to_path_buf()), ("KINCHART_UPLOADS", folder.join("uploads"))];
    let config = Config::from_vars(vars.map(|(name, path)| (name.to_owned(), path.display().to_string())))?;
    Ok(serve::open(config)?)
}

fn make_small(folder: &Path) -> Result<()> {
    let app = open(folder)?;
    for index in 0..USERS {
        let actor = account(&app, index)?;
        for patient in 0..PATIENTS_OF_A_USER {
            let seed = u64::try_from(index * PATIENTS_OF_A_USER + patient)?;
            let mut broken = None;
            app.db.write(|tx| {
                let mut chart =
                    Seeder { tx, actor: &actor, now: app.clock.now(), dice: Dice::new(seed), encounters: Vec::new(), all: Vec::new() };
                broken = chart.patient(patient == 0, |kind| MIX.iter().find(|(name, _)| *name == kind).map_or(0, |(_, n)| *n)).err();
                Ok(())
            })?;
            if let Some(error) = broken {
                return Err(error);
            }
        }
    }
    Ok(())
}

/// An account with a household, as `kinchart user create` makes one.
pub fn account(app: &App, index: usize) -> Result<Actor> {
    let name = format!("{} {}", GIVEN.get(index).unwrap_or(&"Ann"), FAMILY.get(index).unwrap_or(&"Arnold"));
    let details = Details { full_name: name, username: format!("family{index}"), email: String::new() };
    let hash = accounts::hash(app, PASSWORD)?;
    let new = NewAccount { details, role: "admin", password_hash: hash, household: None, address: None, by_command: true };
    app.db.write(|tx| accounts::create(tx, &new, app.clock.now()))?;
    let account = app.db.read(|conn| accounts::find(conn, &format!("family{index}")))?.ok_or_else(|| anyhow!("no account"))?;
    Ok(account.at_the_command_line())
}

/// Writes one family.
pub struct Seeder<'a, 'c> {
    pub tx: &'a mut Tx<'c>,
    pub actor: &'a Actor,
    pub now: NaiveDateTime,
    pub dice: Dice,
    pub encounters: Vec<RecordId>,
    pub all: Vec<RecordId>,
}

/// People and places that a record can name.
struct Around {
    practitioners: Vec<String>,
    pharmacies: Vec<String>,
}

impl Seeder<'_, '_> {
    /// A patient with so many records of each kind.
    pub fn patient(&mut self, own: bool, count: impl Fn(&str) -> usize) -> Result<PatientId> {
        let around = self.around()?;
        let mut fields = PatientFields::default();
        let words = [
            ("first_name", self.dice.pick(GIVEN).to_owned()),
            ("last_name", self.dice.pick(FAMILY).to_owned()),
            ("birth_date", format!("{}-03-14", self.dice.between(1950, 2010))),
            ("gender", self.dice.pick(&["female", "male"]).to_owned()),
            ("is_self_record", own.to_string()),
        ];
        let mut errors = fields.fill(&words.map(|(name, text)| (name.to_owned(), text)), Mode::Strict);
        if let Some(id) = around.practitioners.first() {
            errors.extend(fields.fill(&[("physician_id".to_owned(), id.clone())], Mode::Strict));
        }
        let new = NewPatient { fields, source: "person".to_owned(), source_key: None, strict: true };
        let id = patients::create(self.tx, self.actor, new, self.now, errors)?;
        let access = access::grant::<Own>(self.tx, self.actor, &id, self.now)?;
        for (name, _) in MIX {
            let kind = records::kind(name).ok_or_else(|| anyhow!("no kind {name}"))?;
            for _ in 0..count(name) {
                let record = self.record(&access, kind, &around).with_context(|| format!("a record of {name}"))?;
                if *name == "encounters" {
                    self.encounters.push(record.clone());
                }
                self.all.push(record);
            }
        }
        Ok(id)
    }

    /// The household's practitioners and pharmacies; a dozen, made with the first patient.
    fn around(&mut self) -> Result<Around> {
        let household = kinchart::page::household(self.tx, &self.actor.user)?;
        if Practitioner::list(self.tx, &household)?.is_empty() {
            for (given, family) in GIVEN.iter().zip(FAMILY.iter().rev()).take(10) {
                let entry = Practitioner {
                    name: Some(format!("Dr. {given} {family}")),
                    specialty: Some("Family medicine".to_owned()),
                    ..Practitioner::default()
                };
                entry.insert(self.tx, &household, None, self.now)?;
            }
            for name in PLACES.iter().take(3) {
                Pharmacy { name: Some(format!("{name} Pharmacy")), ..Pharmacy::default() }.insert(self.tx, &household, None, self.now)?;
            }
        }
        let practitioners = Practitioner::list(self.tx, &household)?.into_iter().map(|entry| entry.id).collect();
        let pharmacies = Pharmacy::list(self.tx, &household)?.into_iter().map(|entry| entry.id).collect();
        Ok(Around { practitioners, pharmacies })
    }

    fn record(&mut self, access: &PatientAccess<Own>, kind: &'static Kind, around: &Around) -> Result<RecordId> {
        let mut entry = (kind.blank)();
        let told = Raw { fields: self.fields(kind, around), children: self.children(kind) };
        let mut errors: Errors = input::fill(kind, entry.as_mut(), &told, Mode::Strict);
        let birth = PartialDate::parse_strict("1940").map_err(|_| anyhow!("a date"))?;
        let context = Context { today: self.now.date(), birth: Some(&birth), strict: false };
        input::settle(kind, entry.as_mut(), None, &context, &mut errors);
        if let Some((name, error)) = errors.first() {
            bail!("{name}: {error:?} in {:?}", told.fields);
        }
        let tags = if self.dice.percent(10) { vec![self.dice.pick(TAGS).to_owned()] } else { Vec::new() };
        let mut links = Vec::new();
        if self.dice.percent(5) {
            let place = self.dice.below(self.all.len());
            links.extend(self.all.get(place).map(|to| Link { relation: "related".to_owned(), to: to.clone(), note: None }));
        }
        let draft = Draft { entry, tags: Some(tags), links: Some(links), source: "person".to_owned() };
        Ok(access.chart(kind)?.add(self.tx, &draft)?)
    }

    fn fields(&mut self, kind: &'static Kind, around: &Around) -> Vec<(String, String)> {
        let mut told: Vec<(String, String)> = Vec::new();
        if kind.name == "vitals" {
            return self.vitals();
        }
        let day = self.dice.day(self.now.date());
        let exclusive = kind.exclusive.map(|(flag, _)| flag);
        for spec in &kind.fields {
            let wanted = spec.required || spec.in_list || self.dice.percent(if spec.section == "more" { 15 } else { 60 });
            if !wanted || Some(spec.name) == exclusive {
                continue;
            }
            if let Some(text) = self.value(spec, kind, &day, around) {
                told.push((spec.name.to_owned(), text));
            }
        }
        told
    }

    fn value(&mut self, spec: &FieldSpec, kind: &Kind, day: &str, around: &Around) -> Option<String> {
        let dice = &mut self.dice;
        Some(match spec.input {
            Input::Line => line(dice, spec.name),
            Input::Text => {
                let words = dice.below(12) + 6;
                dice.sentence(words)
            }
            Input::Phone => format!("+1 555 {:07}", dice.below(10_000_000)),
            Input::Email => "somebody@example.org".to_owned(),
            // All dates of a record are one day, so that none comes before another; what lies ahead is left to a few.
            Input::Date if spec.future && Some(spec.name) != kind.ended => {
                if dice.percent(10) {
                    "2031-05-04".to_owned()
                } else {
                    day.to_owned()
                }
            }
            Input::Date => day.to_owned(),
            Input::Integer { min, max } => dice.between(min, max.min(min + 60)).to_string(),
            Input::Measured(_) => format!("{}.{}", dice.between(1, 99), dice.below(10)),
            Input::Choice { words, .. } if spec.name.ends_with("_unit") => dice.pick(words).to_owned(),
            Input::Choice { words, .. } => dice.pick(words).to_owned(),
            Input::Flag => dice.percent(50).to_string(),
            Input::Sensitivity => return None,
            Input::Practitioner => around.practitioners.get(dice.below(around.practitioners.len()))?.clone(),
            Input::Pharmacy => around.pharmacies.get(dice.below(around.pharmacies.len()))?.clone(),
            Input::Record("encounters") => self.encounters.get(self.dice.below(self.encounters.len()))?.to_string(),
            _ => return None,
        })
    }

    fn vitals(&mut self) -> Vec<(String, String)> {
        let today = self.now.date();
        let dice = &mut self.dice;
        let mut told = vec![
            ("recorded_date", dice.day(today)),
            ("systolic_bp", dice.between(105, 150).to_string()),
            ("diastolic_bp", dice.between(60, 95).to_string()),
        ];
        told.push(("heart_rate", dice.between(55, 95).to_string()));
        if dice.percent(60) {
            told.extend([("weight", format!("{}.{}", dice.between(50, 95), dice.below(10))), ("weight_unit", "kg".to_owned())]);
        }
        if dice.percent(30) {
            told.extend([("height", dice.between(150, 190).to_string()), ("height_unit", "cm".to_owned())]);
        }
        if dice.percent(30) {
            told.extend([("temperature", format!("36.{}", dice.below(10))), ("temperature_unit", "C".to_owned())]);
        }
        if dice.percent(40) {
            told.push(("oxygen_saturation", dice.between(94, 100).to_string()));
        }
        told.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
    }

    fn children(&mut self, kind: &Kind) -> Option<Vec<Vec<(String, String)>>> {
        let children = kind.children.as_ref()?;
        if kind.name == "lab-results" {
            let first = self.dice.below(TESTS.len());
            let count = 4 + self.dice.below(5);
            return Some((first..first + count).map(|n| component(&mut self.dice, n)).collect());
        }
        let around = Around { practitioners: Vec::new(), pharmacies: Vec::new() };
        let day = self.dice.day(self.now.date());
        let rows = (0..=self.dice.below(2)).map(|_| {
            let told = children.fields.iter().filter_map(|spec| {
                let wanted = spec.required || spec.in_list || self.dice.percent(30);
                let text = if wanted { self.value(spec, kind, &day, &around) } else { None };
                text.map(|text| (spec.name.to_owned(), text))
            });
            told.collect()
        });
        Some(rows.collect())
    }
}

fn component(dice: &mut Dice, n: usize) -> Vec<(String, String)> {
    let Some((name, code, unit, low, high)) = TESTS.get(n % TESTS.len()) else { return Vec::new() };
    let value = format!("{}.{}", dice.between(low - (high - low) / 8, high + (high - low) / 8), dice.below(10));
    let told = [
        ("test_name", (*name).to_owned()),
        ("test_code", (*code).to_owned()),
        ("value", value),
        ("unit", (*unit).to_owned()),
        ("ref_range_min", low.to_string()),
        ("ref_range_max", high.to_string()),
    ];
    told.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}

fn line(dice: &mut Dice, name: &str) -> String {
    let words = match name {
        "medication_name" | "alternative_name" => MEDICINES,
        "condition_name" | "diagnosis" | "indication" | "code_description" => CONDITIONS,
        "allergen" => ALLERGENS,
        "symptom_name" | "reaction" => SYMPTOMS,
        "injury_name" => INJURIES,
        "vaccine_name" => VACCINES,
        "procedure_name" => PROCEDURES,
        "treatment_name" => TREATMENTS,
        "equipment_name" => EQUIPMENT,
        "reason" | "chief_complaint" => REASONS,
        "test_name" => PANELS,
        "observation_name" => OBSERVATIONS,
        "company_name" | "manufacturer" | "supplier" => COMPANIES,
        "facility" | "location" => PLACES,
        "frequency" => FREQUENCIES,
        "name" | "member_name" | "policy_holder_name" => return format!("{} {}", dice.pick(GIVEN), dice.pick(FAMILY)),
        "dosage" => return format!("{} mg", dice.between(1, 20) * 25),
        "icd10_code" => return format!("J{}.{}", dice.between(10, 99), dice.below(10)),
        other if other.ends_with("_code") || other.ends_with("_number") || other.ends_with("_id") => {
            return format!("{:06}", dice.below(1_000_000));
        }
        _ => return dice.sentence(3),
    };
    dice.pick(words).to_owned()
}

#[derive(diesel::QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Columns that hold an id this file copies. Two name something else: an insurance's member number and a session.
fn is_id(table: &str, column: &str) -> bool {
    let id = column == "id" || column.ends_with("_id") || matches!(column, "created_by" | "updated_by" | "actor" | "noted_by");
    id && column != "session_id" && (table, column) != ("insurance", "member_id")
}

fn make_large(small: &Path, large: &Path) -> Result<()> {
    let file = large.join("kinchart.db");
    fs::copy(small.join("secret.key"), large.join("secret.key"))?;
    let mut source = SqliteConnection::establish(&small.join("kinchart.db").display().to_string())?;
    diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(file.display().to_string()).execute(&mut source)?;
    let db = Db::open(&format!("sqlite:{}", file.display()), false, 1)?;
    let (tables, entries) = db.write(|tx| {
        // The index keeps no texts, but tells every word of every row.
        tx.batch_execute(
            "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab('main', 'search_words', 'instance'); \
             CREATE TEMP TABLE seed_entries AS SELECT e.id, e.record_id, e.patient_id, group_concat(v.term, ' ') AS words FROM temp.vocabulary v \
             JOIN search_entries e ON e.id = v.doc WHERE v.term <> 'p' || replace(e.patient_id, '-', '') GROUP BY e.id; \
             DROP TABLE temp.vocabulary;",
        )?;
        let names: Vec<Name> = diesel::sql_query(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%' AND name NOT LIKE 'search_%' \
             AND name NOT LIKE 'file_search_%' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_\\_%' ESCAPE '\\' AND name NOT IN ('installation', 'throttles', 'sessions', 'jobs') ORDER BY rowid",
        )
        .load(&mut **tx)?;
        for Name { name } in &names {
            tx.batch_execute(&format!("CREATE TEMP TABLE seed_{name} AS SELECT * FROM main.{name} ORDER BY 1"))?;
        }
        let count: Count = diesel::sql_query("SELECT max(id) AS n FROM search_entries").get_result(&mut **tx)?;
        Ok((names, count.n))
    })?;
    // A UUIDv7 begins with its time: each copy gets a later one of its own, so that copies lie behind one another as imports would.
    let first: Name = db.read(|conn| Ok(diesel::sql_query("SELECT substr(max(id), 1, 8) AS name FROM records").get_result(conn)?))?;
    let first = u32::from_str_radix(&first.name, 16)?;
    for copy in 1..COPIES {
        let prefix = format!("{:08x}", first.wrapping_add(u32::try_from(copy * 16)?));
        db.write(|tx| copy_once(tx, &tables, &prefix, copy, entries))?;
        if copy % 10 == 0 {
            eprintln!("  {copy} of {COPIES}");
        }
    }
    anyhow::ensure!(db.dangling()? == 0, "a copied row points at nothing");
    Ok(())
}

fn copy_once(tx: &mut Tx<'_>, tables: &[Name], prefix: &str, copy: usize, entries: i64) -> kinchart::error::Result<()> {
    let id = |column: &str| format!("'{prefix}' || substr({column}, 9)");
    // Parents stand before their children in the schema, but links and tags need all of a table's rows: checks wait for the end.
    tx.batch_execute("PRAGMA defer_foreign_keys=ON")?;
    for Name { name: table } in tables {
        let columns: Vec<Name> = diesel::sql_query(format!("SELECT name FROM pragma_table_info('{table}')")).load(&mut **tx)?;
        let value = |column: &str| match column {
            "username" | "username_folded" => format!("{column} || '-{copy}'"),
            _ if is_id(table, column) => format!("CASE WHEN substr({column}, 9, 1) = '-' THEN {} ELSE {column} END", id(column)),
            _ => column.to_owned(),
        };
        let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        let values: Vec<String> = names.iter().map(|name| value(name)).collect();
        tx.batch_execute(&format!("INSERT INTO main.{table} ({}) SELECT {} FROM temp.seed_{table}", names.join(", "), values.join(", ")))?;
    }
    let shift = i64::try_from(copy).unwrap_or_default() * entries;
    tx.batch_execute(&format!(
        "INSERT INTO search_entries (id, record_id, patient_id) SELECT id + {shift}, {}, {} FROM temp.seed_entries ORDER BY id; \
         INSERT INTO search_words (rowid, words) SELECT id + {shift}, words || ' p' || replace({}, '-', '') FROM temp.seed_entries ORDER BY id;",
        id("record_id"), id("patient_id"), id("patient_id"),
    ))?;
    Ok(())
}

/// The measured account's first patient.
pub fn measured(folder: &Path) -> Result<PatientId> {
    let app = open(folder)?;
    let account = app.db.read(|conn| accounts::find(conn, USER))?.ok_or_else(|| anyhow!("no account {USER}"))?;
    let found = app.db.read(|conn| access::all(conn, &account.at_the_command_line(), app.clock.now()))?;
    found.list.first().map(|access| access.id().clone()).ok_or_else(|| anyhow!("no patient"))
}

/// Takes away what measuring left, so that the next run finds the same rows.
pub fn tidy(folder: &Path) -> Result<()> {
    let app = open(folder)?;
    app.db.write(|tx| {
        tx.batch_execute("DELETE FROM audit_events WHERE action IN ('read', 'listed', 'searched', 'signed_in', 'downloaded'); DELETE FROM sessions; DELETE FROM list_views; DELETE FROM throttles;")?;
        Ok(())
    })?;
    Ok(())
}

/// An import through the library, for as long as the command line has none.
pub fn import(folder: &Path, file: &Path) -> Result<std::time::Duration> {
    use kinchart::interchange::{self, merge};
    let begun = std::time::Instant::now();
    let app = open(folder)?;
    let account = app.db.read(|conn| accounts::find(conn, USER))?.ok_or_else(|| anyhow!("no account {USER}"))?;
    let told = interchange::read(&fs::read(file)?).map_err(|error| anyhow!("{error:?}"))?;
    let actor = account.at_the_command_line();
    app.db.write(|tx| merge::apply(tx, &actor, &told, &merge::Target::Matching, app.clock.now(), &mut |_, _| {}))?;
    Ok(begun.elapsed())
}

/// Removes the imported patients, so that the next run imports them anew.
pub fn forget_imports(folder: &Path) -> Result<()> {
    let app = open(folder)?;
    app.db.write(|tx| {
        tx.batch_execute(
            "DELETE FROM audit_events WHERE patient_id IN (SELECT id FROM patients WHERE source LIKE 'import:%'); \
             DELETE FROM patients WHERE source LIKE 'import:%'; \
             DELETE FROM practitioners WHERE source LIKE 'import:%'; DELETE FROM practices WHERE source LIKE 'import:%'; DELETE FROM pharmacies WHERE source LIKE 'import:%';",
        )?;
        Ok(())
    })?;
    Ok(())
}
