//! The two pages one begins at: everyone a person cares for, and one patient at a glance.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{Patient, PatientStatus};
use crate::{
    access::{self, PatientAccess, Rank, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    db::{Conn, types::PatientId},
    directory::{Listed, Practitioner},
    error::{Error, Result},
    installation, invitations,
    page::{self, Ui, note_read, render, see_other},
    patients,
    records::{
        self,
        field::Input,
        glance::{self, Current, Everyone, Trend},
        overview, view,
    },
    sharing::shares::{self, Share},
    spark::{self, Spark},
};

#[derive(Template)]
#[template(path = "patients/everyone.html")]
struct EveryonePage {
    ui: Ui,
    people: Vec<PersonCard>,
    others: Vec<PersonCard>,
    may_add: bool,
    in_trash: usize,
    /// Invitations that wait for this person's answer.
    invitations: i64,
    /// Shares of theirs that end soon, a sentence each.
    ending: Vec<Ending>,
}

/// A share that ends soon: the sentence, and where one click extends it.
struct Ending {
    text: String,
    extend: String,
}

/// A patient on the page of everyone.
struct PersonCard {
    id: String,
    name: String,
    initials: String,
    face: String,
    about: String,
    alerts: Vec<String>,
    medications: i64,
    conditions: i64,
    shared: bool,
}

/// `GET /`: the page of everyone, or the way in.
pub async fn start(app: web::Data<App>, signed: Option<Signed>, request: HttpRequest) -> Result<HttpResponse> {
    if let Some(signed) = signed {
        everyone(app, signed, request).await
    } else {
        let known = app.read(|conn, _| installation::has_accounts(conn)).await?;
        Ok(see_other(if known { "/login" } else { "/setup" }))
    }
}

/// `GET /patients`.
pub async fn everyone(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let accesses = access::all(conn, &signed.actor, app.clock.now())?;
            let facts = glance::everyone(conn, &accesses)?;
            // The page tells of allergies and counts. An owner's own start page is no look at somebody else's records.
            for access in accesses.list.iter().filter(|access| !access.owner) {
                note_read(app, access, Action::Listed, Some("everyone"), None);
            }
            let in_trash = patients::trashed(conn, &signed.me.id)?.len();
            let ui = Ui::new(Some(signed.me.clone()), &here);
            let now = app.clock.now();
            let waiting = invitations::received(conn, &signed.me.id)?.iter().filter(|(one, _)| one.is_open(now)).count();
            let ending = shares::ending_soon(conn, &signed.me.id, now)?.iter().map(|(share, name)| ending(&ui, share, name)).collect();
            let (people, others) = accesses
                .list
                .iter()
                .map(|access| (access.patient.status(), person(&ui, access, &facts)))
                .partition::<Vec<_>, _>(|(status, _)| *status == PatientStatus::Active);
            let cards = |list: Vec<(PatientStatus, PersonCard)>| list.into_iter().map(|(_, card)| card).collect();
            Ok(EveryonePage {
                people: cards(people),
                others: cards(others),
                may_add: signed.me.may_add_patients(),
                in_trash,
                invitations: i64::try_from(waiting).unwrap_or(i64::MAX),
                ending,
                ui,
            })
        })
        .await?;
    render(&page)
}

fn ending(ui: &Ui, share: &Share, patient: &str) -> Ending {
    let day = share.terms.last_day().map_or_else(String::new, |day| ui.day(&day.to_string()));
    Ending {
        text: ui.words.with("share.warn", &[("name", &share.name), ("patient", patient), ("date", &day)]),
        extend: format!("/patients/{}/sharing/{}/extend", share.patient, share.id),
    }
}

fn person(ui: &Ui, access: &PatientAccess<View>, facts: &Everyone) -> PersonCard {
    let patient = &access.patient;
    let id = patient.id.to_string();
    PersonCard {
        name: patient.name(),
        initials: patient.initials(),
        face: patient.face(),
        about: about(ui, patient, access.now.date()),
        alerts: facts.alerts.get(&id).cloned().unwrap_or_default(),
        medications: facts.count(&id, "medications"),
        conditions: facts.count(&id, "conditions"),
        shared: access.rank < Rank::Own,
        id,
    }
}

/// Age, or the years of a life.
fn about(ui: &Ui, patient: &Patient, today: chrono::NaiveDate) -> String {
    let fields = &patient.fields;
    let mut parts = Vec::new();
    if patient.status() == PatientStatus::Deceased {
        parts.push(
            fields
                .deceased_on
                .as_ref()
                .map_or_else(|| ui.t("choice.PatientStatus.deceased"), |on| ui.t1("person.died", "date", ui.day(on.as_str()))),
        );
    } else if let Some(age) = fields.birth_date.as_ref().and_then(|birth| ui.words.age(birth, today)) {
        parts.push(age);
    }
    parts.extend(fields.relationship.clone());
    parts.join(" · ")
}

#[derive(Template)]
#[template(path = "patients/home.html")]
struct HomePage {
    ui: Ui,
    id: String,
    name: String,
    portrait: String,
    about: String,
    physician: Option<(Option<String>, String)>,
    status: &'static str,
    alerts: Vec<Alert>,
    allergies: Vec<Alert>,
    no_allergies: NoneKnown,
    medications: Vec<MedicationLine>,
    no_medications: NoneKnown,
    conditions: Vec<ConditionLine>,
    no_conditions: NoneKnown,
    ahead: Vec<AheadLine>,
    lately: Vec<LatelyLine>,
    labs: Vec<TrendLine>,
    vitals: Vec<TrendLine>,
    may_edit: bool,
    may_manage: bool,
    adding: Vec<(String, String)>,
    version: i32,
    is_empty: bool,
    /// Newer values of imports that nobody has taken or dismissed.
    offers: i64,
}

/// Why a part is empty: said on purpose, or nothing was ever written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NoneKnown {
    Said,
    /// There may be some that this person does not see.
    InPart,
    Unknown,
    /// Not shared with this person at all.
    Hidden,
}

impl NoneKnown {
    fn said(self) -> bool {
        self == Self::Said
    }
    fn in_part(self) -> bool {
        self == Self::InPart
    }
    fn hidden(self) -> bool {
        self == Self::Hidden
    }
}

struct Alert {
    href: String,
    title: String,
    about: String,
}
struct MedicationLine {
    href: String,
    title: String,
    indication: String,
    dose: String,
    frequency: String,
    since: String,
}
struct ConditionLine {
    href: String,
    title: String,
    about: String,
}
struct AheadLine {
    href: String,
    title: String,
    what: String,
    on: String,
}
struct LatelyLine {
    href: String,
    title: String,
    kind: String,
    on: String,
}
struct TrendLine {
    href: String,
    name: String,
    about: String,
    value: String,
    flag: String,
    flag_word: String,
    spark: Option<Spark>,
}

/// `GET /patients/{patient}`.
pub async fn home(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            note_read(app, &access, Action::Read, None, None);
            page::text(&home_page(conn, &access, Ui::new(Some(signed.me), &here))?)
        })
        .await?;
    Ok(page::html(StatusCode::OK, page))
}

/// What the overview shows of each kind that is going on.
const SHOWN: &[glance::Columns] =
    &[("allergies", &["severity", "reaction"]), ("medications", &["dosage", "frequency", "indication"]), ("conditions", &["icd10_code"])];

fn home_page(conn: &mut Conn, access: &PatientAccess<View>, ui: Ui) -> Result<HomePage> {
    let current = glance::current(conn, access, SHOWN)?;
    let labs = glance::out_of_range(conn, access, 8)?;
    let vitals = glance::vitals(conn, access)?;
    let ahead = glance::ahead(conn, access, &access.now.date().to_string(), 6)?;
    let lately = overview::lately(conn, access, 8)?;
    let said = patients::none_known::kinds(conn, access.id())?;
    let physician = physician(conn, access)?;
    let offers = records::origins::waiting_count(conn, access)?;
    let ui = ui.with_nav(conn, access)?;
    let of = |kind: &'static str| current.iter().filter(move |c| c.kind.name == kind);
    let severe = |c: &&Current| matches!(c.get("severity").as_str(), "severe" | "life-threatening");
    let scope = access.scope();
    // "None known" tells of a kind as its records do, and an empty list of a part tells of that part only.
    let none = |kind: &str| match () {
        () if !scope.allows_kind(kind) => NoneKnown::Hidden,
        () if said.iter().any(|k| k == kind) => NoneKnown::Said,
        () if scope.has_all_of_its_kinds() => NoneKnown::Unknown,
        () => NoneKnown::InPart,
    };
    let id = access.id().to_string();
    Ok(HomePage {
        alerts: of("allergies").filter(severe).map(|c| alert(&ui, &id, c)).collect(),
        allergies: of("allergies").filter(|c| !severe(c)).map(|c| alert(&ui, &id, c)).collect(),
        medications: of("medications").map(|c| medication(&ui, &id, c)).collect(),
        conditions: of("conditions").map(|c| condition(&ui, &id, c)).collect(),
        no_allergies: none("allergies"),
        no_medications: none("medications"),
        no_conditions: none("conditions"),
        is_empty: lately.is_empty(),
        offers,
        ahead: ahead
            .into_iter()
            .map(|a| AheadLine {
                href: format!("/patients/{id}/{}/{}", a.kind, a.id),
                what: ui.label(records::kind(&a.kind).map_or("", |k| k.word()), &a.field),
                on: ui.day(&a.on),
                title: a.title,
            })
            .collect(),
        lately: lately
            .into_iter()
            .map(|head| LatelyLine {
                href: format!("/patients/{id}/{}/{}", head.kind, head.id),
                kind: records::kind(&head.kind).map(|k| ui.kind_one(k)).unwrap_or_default(),
                on: ui.day(&head.updated_at.date().to_string()),
                title: head.title,
            })
            .collect(),
        labs: labs.iter().map(|t| lab(&ui, &id, t)).collect(),
        vitals: vitals.iter().filter(|t| t.name != "height" || t.points.len() > 1).map(|t| vital(&ui, &id, t)).collect(),
        portrait: access.patient.portrait(),
        name: access.patient.name(),
        about: facts(&ui, access),
        status: access.patient.status().as_str(),
        may_edit: access.may(Rank::Edit),
        may_manage: access.may(Rank::Full),
        adding: records::kinds()
            .iter()
            .filter(|k| access.scope().allows_kind(k.name))
            .map(|k| (format!("/patients/{id}/{}/new", k.name), ui.about(k, "add")))
            .collect(),
        version: access.patient.version,
        physician,
        id,
        ui,
    })
}

fn physician(conn: &mut Conn, access: &PatientAccess<View>) -> Result<Option<(Option<String>, String)>> {
    let Some(id) = &access.patient.fields.physician_id else { return Ok(None) };
    // Of another household: who sees the patient sees the name, and no page of that directory.
    let link = format!("/directory/practitioners/{id}");
    let found = Practitioner::seen(conn, &access.actor.user, &[id.to_string()])?.pop();
    Ok(found.map(|entry| (entry.open.then_some(link), entry.name)))
}

/// `Born 14 Mar 2018 · female · blood type O+`.
fn facts(ui: &Ui, access: &PatientAccess<View>) -> String {
    let fields = &access.patient.fields;
    let mut parts = Vec::new();
    parts.extend(fields.birth_date.as_ref().map(|d| ui.t1("person.born", "date", ui.date(d.as_str()))));
    if access.patient.status() == PatientStatus::Deceased {
        parts.extend(fields.deceased_on.as_ref().map(|d| ui.t1("person.died", "date", ui.date(d.as_str()))));
    }
    parts.extend(fields.gender.map(|g| ui.choice("Gender", g.as_str())));
    parts.extend(fields.blood_type.map(|b| ui.t1("person.blood_type", "type", b.as_str())));
    parts.join(" · ")
}

fn href(patient: &str, current: &Current) -> String {
    format!("/patients/{patient}/{}/{}", current.kind.name, current.head.id)
}

fn alert(ui: &Ui, patient: &str, current: &Current) -> Alert {
    let mut parts = vec![current.get("reaction")];
    parts.extend(current.head.occurred_on.as_deref().map(|d| ui.day(d)));
    parts.retain(|part| !part.is_empty());
    Alert { href: href(patient, current), title: current.head.title.clone(), about: parts.join(", ") }
}

fn medication(ui: &Ui, patient: &str, current: &Current) -> MedicationLine {
    MedicationLine {
        href: href(patient, current),
        title: current.head.title.clone(),
        indication: current.get("indication"),
        dose: current.get("dosage"),
        frequency: current.get("frequency"),
        since: current.head.occurred_on.as_deref().map(|d| ui.day(d)).unwrap_or_default(),
    }
}

fn condition(ui: &Ui, patient: &str, current: &Current) -> ConditionLine {
    let since = current.head.occurred_on.as_deref().map(|d| ui.t1("home.since", "date", ui.day(d)));
    let mut parts = vec![current.get("icd10_code")];
    parts.extend(since);
    parts.retain(|part| !part.is_empty());
    ConditionLine { href: href(patient, current), title: current.head.title.clone(), about: parts.join(" · ") }
}

fn lab(ui: &Ui, patient: &str, trend: &Trend) -> TrendLine {
    let flag_word = ui.choice("ComponentStatus", &trend.flag);
    TrendLine {
        href: format!("/patients/{patient}/{}/{}", trend.kind, trend.record),
        name: trend.name.clone(),
        about: ui.day(&trend.on),
        value: format!("{} {}", crate::measured::brief(&trend.text).unwrap_or_else(|| trend.text.clone()), ui.unit(&trend.unit))
            .trim_end()
            .to_owned(),
        flag: trend.flag.clone(),
        flag_word,
        spark: spark::draw(ui, trend),
    }
}

fn vital(ui: &Ui, patient: &str, trend: &Trend) -> TrendLine {
    let spec = records::kind("vitals").and_then(|k| k.field(&trend.name)).map(|(_, spec)| spec);
    let shown = spec
        .filter(|s| matches!(s.input, Input::Measured(_)))
        .map(|s| view::show_brief(ui, patient, s, &trend.text, Some(&trend.unit), &view::Names::default()));
    TrendLine {
        href: format!("/patients/{patient}/{}/{}", trend.kind, trend.record),
        name: ui.label("vitals", spec.map_or(trend.name.as_str(), |spec| spec.shown_name())),
        about: ui.day(&trend.on),
        value: shown.map(|s| s.text).unwrap_or_default(),
        flag: String::new(),
        flag_word: String::new(),
        spark: spark::draw(ui, trend),
    }
}
