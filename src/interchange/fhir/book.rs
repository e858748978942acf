//! The bundle as a book of entries: each with a key that stays the same in the next export, and found again by whatever a reference calls it.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::draft::{Problem, ProblemKind};
use super::json;

/// What the position in the bundle alone decides about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Live,
    /// The same resource once more, word for word.
    Copy,
    /// An earlier version of another entry.
    Older,
    /// A history says that it was deleted since.
    Deleted,
}

#[derive(Debug)]
pub struct Entry<'a> {
    pub key: String,
    pub kind: String,
    /// For people: `entry 12: Observation/abc`.
    pub place: String,
    pub resource: &'a Value,
    pub fate: Fate,
}

#[derive(Debug, Default)]
pub struct Book<'a> {
    pub entries: Vec<Entry<'a>>,
    pub problems: Vec<Problem>,
    urls: Vec<Option<&'a str>>,
    by_key: HashMap<String, usize>,
    /// The names below lead to a key, not to an entry: a newer version that takes over the key is found by all of them.
    by_url: HashMap<&'a str, String>,
    by_id: HashMap<String, String>,
    /// `Practitioner?identifier=system|value`: how transactions name what the server should already have.
    by_identifier: HashMap<String, String>,
    /// How many entries claimed a key.
    versions: HashMap<String, usize>,
    deleted: HashSet<String>,
    /// A history: what stands first is the newest.
    newest_first: bool,
}

/// Where a reference leads.
#[derive(Debug, Clone)]
pub enum Found<'a> {
    Entry(usize),
    Contained(&'a Value),
    /// Named, and not in the file.
    Missing(String),
    /// No reference, at most a display text.
    Unnamed,
}

impl<'a> Book<'a> {
    pub fn open(bundle: &'a Value) -> Self {
        let newest_first = bundle.get("type").and_then(Value::as_str) == Some("history");
        let mut book = Book { newest_first, ..Book::default() };
        book.add_all(bundle);
        // A page of a search: whoever imports it should know that there is more.
        if json::list(bundle, "link").iter().any(|link| json::text(link, "relation").as_deref() == Some("next")) {
            book.problems.push(Problem { place: "link next".to_owned(), what: ProblemKind::Other("more_pages") });
        }
        book
    }

    pub fn entry(&self, index: usize) -> Option<&Entry<'a>> {
        self.entries.get(index)
    }

    /// A server's answer inside a collection is read as if its entries stood in the collection.
    fn add_all(&mut self, bundle: &'a Value) {
        for (position, entry) in json::list(bundle, "entry").iter().enumerate() {
            let number = position + 1;
            let Some(resource) = entry.get("resource").filter(|r| r.get("resourceType").is_some_and(Value::is_string)) else {
                self.without_resource(entry, number);
                continue;
            };
            self.add(entry, resource, number);
            if resource.get("resourceType").and_then(Value::as_str) == Some("Bundle") {
                self.add_all(resource);
            }
        }
    }

    fn without_resource(&mut self, entry: &'a Value, number: usize) {
        if json::get(entry, &["request", "method"]).and_then(Value::as_str) == Some("DELETE") {
            // Histories run from the newest to the oldest: a deletion concerns only what follows.
            let url = json::text_at(entry, &["request", "url"]).unwrap_or_default();
            if !self.by_key.contains_key(&url) {
                self.deleted.insert(url);
            }
            return;
        }
        self.problems.push(Problem { place: format!("entry {number}"), what: ProblemKind::MissingResource });
    }

    fn add(&mut self, entry: &'a Value, resource: &'a Value, number: usize) {
        let kind = json::text(resource, "resourceType").unwrap_or_default();
        let url = entry.get("fullUrl").and_then(Value::as_str).filter(|url| !url.is_empty());
        let key = key_of(&kind, url, resource);
        let index = self.entries.len();
        let mut entry = Entry { place: format!("entry {number}: {key}"), key, kind, resource, fate: Fate::Live };
        if self.deleted.contains(&entry.key) {
            entry.fate = Fate::Deleted;
        }
        let plain = self.settle(&mut entry, url);
        self.by_key.entry(entry.key.clone()).or_insert(index);
        if let Some(url) = url {
            self.by_url.entry(url).or_insert_with(|| plain.clone());
        }
        if let Some((_, id)) = plain.split_once('/') {
            self.by_id.entry(id.to_owned()).or_insert_with(|| plain.clone());
        }
        self.index_identifiers(&entry, &plain);
        self.entries.push(entry);
        self.urls.push(url);
    }

    /// Two entries may carry one id: a second copy, two versions, or two servers that count alike. Returns the key that references lead to.
    fn settle(&mut self, entry: &mut Entry<'a>, url: Option<&'a str>) -> String {
        let plain = entry.key.clone();
        let Some(&first) = self.by_key.get(&plain) else { return plain };
        if let (Some(a), Some(b)) = (self.urls.get(first).copied().flatten(), url)
            && a != b
        {
            entry.key = format!("{plain}~{}", digest(b.as_bytes(), 8));
            return self.settle(entry, None);
        }
        let version = self.versions.entry(plain.clone()).or_insert(1);
        *version += 1;
        let numbered = format!("{plain}~{version}");
        let index = self.entries.len();
        let last_word = self.last_word();
        let newest_first = self.newest_first;
        let Some(kept) = self.entries.get_mut(first) else { return plain };
        if kept.resource == entry.resource {
            // Answers of servers repeat what several entries refer to; nobody needs to hear of it.
            entry.fate = Fate::Copy;
            entry.key = numbered;
            return plain;
        }
        let known = newer(entry.resource, kept.resource);
        let what = if known.is_some() { ProblemKind::DuplicateId } else { ProblemKind::Other(last_word) };
        self.problems.push(Problem { place: entry.place.clone(), what });
        // Where neither says which is newer, the file's order decides: a history runs from the newest to the oldest, others the other way.
        if known.unwrap_or(!newest_first) {
            // The newest version keeps the plain key; the others are numbered.
            entry.fate = kept.fate;
            kept.fate = Fate::Older;
            kept.key.clone_from(&numbered);
            self.by_key.insert(numbered, first);
            self.by_key.insert(plain.clone(), index);
        } else {
            entry.fate = Fate::Older;
            entry.key = numbered;
        }
        plain
    }

    fn last_word(&self) -> &'static str {
        if self.newest_first { "duplicate_id_first" } else { "duplicate_id_last" }
    }

    fn index_identifiers(&mut self, entry: &Entry<'a>, key: &str) {
        if !matches!(entry.kind.as_str(), "Practitioner" | "PractitionerRole" | "Organization" | "Location" | "Patient") {
            return;
        }
        for identifier in json::list(entry.resource, "identifier") {
            let system = json::text(identifier, "system").unwrap_or_default();
            if let Some(value) = json::text(identifier, "value") {
                self.by_identifier.entry(format!("{}?identifier={system}|{value}", entry.kind)).or_insert_with(|| key.to_owned());
            }
        }
    }

    /// Follows `reference`, an element of `from` (which may hold the target itself, under `contained`).
    pub fn find(&self, from: &'a Value, reference: &Value) -> Found<'a> {
        let Some(target) = reference.get("reference").and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty()) else {
            return self.by_logical(reference);
        };
        if let Some(id) = target.strip_prefix('#') {
            let inside = json::list(from, "contained").iter().find(|inner| json::text(inner, "id").as_deref() == Some(id));
            return inside.map_or_else(|| Found::Missing(json::short(target)), Found::Contained);
        }
        let bare = target.split("/_history/").next().unwrap_or(target);
        let key = self.by_url.get(bare).or_else(|| self.by_url.get(target)).or_else(|| self.by_identifier.get(bare));
        let urn = bare.strip_prefix("urn:uuid:").or_else(|| bare.strip_prefix("urn:oid:"));
        let index = key
            .or_else(|| self.by_id.get(urn?))
            .and_then(|key| self.by_key.get(key))
            .or_else(|| self.by_key.get(bare))
            .or_else(|| self.by_key.get(tail(bare)?.as_str()));
        index.map_or_else(|| Found::Missing(json::short(target)), |index| Found::Entry(*index))
    }

    fn by_logical(&self, reference: &Value) -> Found<'a> {
        let system = json::text_at(reference, &["identifier", "system"]).unwrap_or_default();
        let Some(value) = json::text_at(reference, &["identifier", "value"]) else { return Found::Unnamed };
        let kinds = ["Patient", "Practitioner", "PractitionerRole", "Organization", "Location"];
        kinds
            .iter()
            .find_map(|kind| self.by_identifier.get(&format!("{kind}?identifier={system}|{value}")))
            .and_then(|key| self.by_key.get(key))
            .map_or(Found::Unnamed, |index| Found::Entry(*index))
    }
}

/// The resources in the order in which `Book::open` numbers them.
pub fn resources(bundle: Value) -> Vec<Value> {
    let mut all = Vec::new();
    collect(bundle, &mut all);
    all
}

fn collect(mut bundle: Value, all: &mut Vec<Value>) {
    let entries = match bundle.get_mut("entry").map(Value::take) {
        Some(Value::Array(items)) => items,
        Some(Value::Null) | None => Vec::new(),
        Some(one) => vec![one],
    };
    for mut entry in entries {
        let Some(resource) = entry.get_mut("resource").map(Value::take) else { continue };
        match resource.get("resourceType").and_then(Value::as_str) {
            None => {}
            Some("Bundle") => {
                all.push(Value::Null);
                collect(resource, all);
            }
            Some(_) => all.push(resource),
        }
    }
}

/// Is the candidate the newer one? `None` where nothing tells.
fn newer(candidate: &Value, kept: &Value) -> Option<bool> {
    let updated = |resource: &Value| {
        let text = json::text_at(resource, &["meta", "lastUpdated"])?;
        chrono::DateTime::parse_from_rfc3339(&text).ok()
    };
    let version = |resource: &Value| json::text_at(resource, &["meta", "versionId"])?.parse::<u64>().ok();
    match (updated(candidate), updated(kept)) {
        (Some(a), Some(b)) if a != b => Some(a > b),
        _ => version(candidate).zip(version(kept)).filter(|(a, b)| a != b).map(|(a, b)| a > b),
    }
}

/// The id where there is one, else what the full URL says, else what the resource says.
fn key_of(kind: &str, url: Option<&str>, resource: &Value) -> String {
    if let Some(id) = json::text(resource, "id") {
        return format!("{kind}/{id}");
    }
    let url = url.unwrap_or_default();
    if let Some(id) = url.strip_prefix("urn:uuid:").or_else(|| url.strip_prefix("urn:oid:")) {
        return format!("{kind}/{id}");
    }
    match tail(url) {
        Some(key) if key.starts_with(&format!("{kind}/")) => key,
        _ => digest_key(kind, resource),
    }
}

/// A key for a resource without any name of its own.
pub fn digest_key(kind: &str, resource: &Value) -> String {
    let mut canonical = String::new();
    write_canonical(resource, &mut canonical, true);
    format!("{kind}/sha256-{}", digest(canonical.as_bytes(), 32))
}

fn digest(bytes: &[u8], length: usize) -> String {
    let hash = Sha256::digest(bytes);
    let hex = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    hex.filter_map(|half| char::from_digit(u32::from(half), 16)).take(length).collect()
}

/// Members sorted by name; narrative and metadata left out, servers write them anew with every export, and so are the ids of contained resources.
fn write_canonical(value: &Value, out: &mut String, outermost: bool) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_str());
            for (name, member) in sorted {
                if outermost && matches!(name.as_str(), "id" | "meta" | "text") {
                    continue;
                }
                out.push('{');
                out.push_str(&Value::String(name.clone()).to_string());
                write_canonical(member, out, false);
                out.push('}');
            }
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out, false);
                out.push(',');
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

/// `Patient/1` of `https://server/fhir/Patient/1`.
fn tail(url: &str) -> Option<String> {
    if !url.contains("://") {
        return None;
    }
    let (rest, id) = url.trim_end_matches('/').rsplit_once('/')?;
    let (_, kind) = rest.rsplit_once('/')?;
    Some(format!("{kind}/{id}"))
}

/// Whether R4 knows a type. Sorted as the specification lists them.
pub fn is_r4_type(kind: &str) -> bool {
    R4_TYPES.split_ascii_whitespace().any(|known| known == kind)
}

const R4_TYPES: &str = "Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic Binary \
    BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry ChargeItem ChargeItemDefinition Claim \
    ClaimResponse ClinicalImpression CodeSystem Communication CommunicationRequest CompartmentDefinition Composition ConceptMap Condition \
    Consent Contract Coverage CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric \
    DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis Encounter Endpoint \
    EnrollmentRequest EnrollmentResponse EpisodeOfCare EventDefinition Evidence EvidenceVariable ExampleScenario ExplanationOfBenefit \
    FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse HealthcareService ImagingStudy Immunization ImmunizationEvaluation \
    ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice Library Linkage List Location Measure MeasureReport Media Medication \
    MedicationAdministration MedicationDispense MedicationKnowledge MedicationRequest MedicationStatement MedicinalProduct \
    MedicinalProductAuthorization MedicinalProductContraindication MedicinalProductIndication MedicinalProductIngredient \
    MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged MedicinalProductPharmaceutical \
    MedicinalProductUndesirableEffect MessageDefinition MessageHeader MolecularSequence NamingSystem NutritionOrder Observation \
    ObservationDefinition OperationDefinition OperationOutcome Organization OrganizationAffiliation Parameters Patient PaymentNotice \
    PaymentReconciliation Person PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse \
    RelatedPerson RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject RiskAssessment \
    RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen SpecimenDefinition StructureDefinition StructureMap \
    Subscription Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein SubstanceReferenceInformation \
    SubstanceSourceMaterial SubstanceSpecification SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport TestScript ValueSet \
    VerificationResult VisionPrescription";
