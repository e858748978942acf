//! Words of the made-up charts, and the dice that choose among them: the same rows on every machine.

/// `SplitMix64`: small, and the same everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap_or_default()
    }
    pub fn between(&mut self, low: i32, high: i32) -> i32 {
        low + i32::try_from(self.below(usize::try_from(high - low + 1).unwrap_or(1))).unwrap_or_default()
    }
    /// True in so many of a hundred cases.
    pub fn percent(&mut self, n: usize) -> bool {
        self.below(100) < n
    }
    pub fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.get(self.below(words.len())).copied().unwrap_or_default()
    }
    /// A day of the last ten years before `today`, as text.
    pub fn day(&mut self, today: chrono::NaiveDate) -> String {
        let back = u64::try_from(self.below(3650)).unwrap_or_default();
        today.checked_sub_days(chrono::Days::new(back)).unwrap_or(today).to_string()
    }
    pub fn sentence(&mut self, words: usize) -> String {
        let all: Vec<&str> = (0..words).map(|_| self.pick(PROSE)).collect();
        all.join(" ")
    }
}

pub const GIVEN: &[&str] = &[
    "Ann", "Ben", "Clara", "David", "Elena", "Farid", "Grace", "Henri", "Ines", "Jonas", "Keiko", "Lena", "Mateo", "Nora", "Omar", "Paula",
];
pub const FAMILY: &[&str] = &[
    "Arnold", "Becker", "Costa", "Diaz", "Evans", "Fischer", "Garcia", "Haddad", "Ito", "Jensen", "Kaya", "Lopez", "Moreau", "Novak",
    "Olsen", "Park",
];
pub const TAGS: &[&str] = &["ask next time", "school", "insurance", "travel", "important", "old files"];

pub const MEDICINES: &[&str] = &[
    "Amoxicillin 500 mg oral capsule",
    "Lisinopril 10 mg oral tablet",
    "Metformin 850 mg oral tablet",
    "Atorvastatin 20 mg oral tablet",
    "Levothyroxine 75 mcg oral tablet",
    "Amlodipine 5 mg oral tablet",
    "Omeprazole 20 mg delayed release capsule",
    "Salbutamol 100 mcg inhaler",
    "Ibuprofen 400 mg oral tablet",
    "Paracetamol 500 mg oral tablet",
    "Cetirizine 10 mg oral tablet",
    "Sertraline 50 mg oral tablet",
    "Fluticasone 50 mcg nasal spray",
    "Prednisone 5 mg oral tablet",
    "Vitamin D3 1000 IU capsule",
    "Insulin glargine 100 units/mL pen",
    "Azithromycin 250 mg oral tablet",
    "Hydrochlorothiazide 25 mg oral tablet",
    "Losartan 50 mg oral tablet",
    "Montelukast 4 mg chewable tablet",
    "Simvastatin 40 mg oral tablet",
    "Clopidogrel 75 mg oral tablet",
    "Warfarin 2.5 mg oral tablet",
    "Folic acid 5 mg oral tablet",
];
pub const CONDITIONS: &[&str] = &[
    "Asthma, mild persistent",
    "Essential hypertension",
    "Type 2 diabetes mellitus",
    "Acute viral pharyngitis",
    "Hypothyroidism",
    "Migraine without aura",
    "Seasonal allergic rhinitis",
    "Gastro-oesophageal reflux disease",
    "Iron deficiency anaemia",
    "Osteoarthritis of knee",
    "Acute bronchitis",
    "Otitis media",
    "Chronic sinusitis",
    "Hyperlipidaemia",
    "Eczema",
    "Anxiety disorder",
    "Low back pain",
    "Plantar fasciitis",
];
pub const ALLERGENS: &[&str] =
    &["Penicillin", "Peanut", "Birch pollen", "House dust mite", "Latex", "Shellfish", "Cat hair", "Bee venom", "Sulfonamide", "Egg white"];
pub const SYMPTOMS: &[&str] =
    &["Headache", "Cough", "Nausea", "Dizziness", "Back pain", "Fatigue", "Wheezing", "Rash", "Palpitations", "Fever"];
pub const INJURIES: &[&str] = &["Ankle sprain", "Wrist fracture", "Knee contusion", "Finger laceration", "Concussion", "Shoulder strain"];
pub const VACCINES: &[&str] =
    &["Influenza, seasonal, injectable", "Tdap", "MMR", "Hepatitis B", "COVID-19 mRNA", "Pneumococcal conjugate", "HPV", "Varicella"];
pub const PROCEDURES: &[&str] = &[
    "Colonoscopy",
    "Spirometry",
    "Electrocardiogram",
    "Tooth extraction",
    "Skin biopsy",
    "Cataract surgery",
    "Arthroscopy of knee",
    "Suture of wound",
];
pub const TREATMENTS: &[&str] =
    &["Physical therapy", "Cognitive behavioural therapy", "Inhalation", "Dietary counselling", "Desensitization", "Wound care"];
pub const EQUIPMENT: &[&str] = &["Nebulizer", "Blood pressure monitor", "Hearing aid", "Crutches", "Glucose meter", "CPAP device"];
pub const REASONS: &[&str] = &[
    "Well child visit",
    "Annual check-up",
    "Follow-up of blood pressure",
    "Sore throat",
    "Ear pain",
    "Vaccination",
    "Medication review",
    "Back pain",
    "Skin rash",
];
pub const PANELS: &[&str] =
    &["Comprehensive metabolic panel", "Complete blood count", "Lipid panel", "Thyroid panel", "Urinalysis", "Iron studies"];
pub const OBSERVATIONS: &[&str] =
    &["Tobacco smoking status", "Body surface area", "Peak flow", "Visual acuity", "Head circumference", "Pain severity"];
pub const COMPANIES: &[&str] = &["Northwind Health", "Blue Harbour Insurance", "Civic Mutual", "Alpine Care", "Meridian Group"];
pub const PLACES: &[&str] = &[
    "Lakeside Clinic",
    "St. Mary Hospital",
    "Riverside Family Practice",
    "City Laboratory",
    "Harbour Pharmacy",
    "University Medical Center",
];
pub const FREQUENCIES: &[&str] = &["once daily", "twice daily", "three times daily", "every 8 hours", "as needed", "at bedtime"];
pub const PROSE: &[&str] = &[
    "patient",
    "reports",
    "mild",
    "improvement",
    "since",
    "last",
    "visit",
    "with",
    "food",
    "continue",
    "current",
    "plan",
    "no",
    "side",
    "effects",
    "noted",
    "follow",
    "up",
    "in",
    "three",
    "months",
    "family",
    "informed",
    "about",
    "risks",
    "measured",
    "at",
    "home",
    "morning",
    "evening",
    "stable",
    "slightly",
    "raised",
    "within",
    "normal",
    "range",
    "discussed",
    "exercise",
    "sleep",
    "school",
];

/// Name, LOINC code, unit, low, high.
pub const TESTS: &[(&str, &str, &str, i32, i32)] = &[
    ("Glucose", "2345-7", "mg/dL", 70, 99),
    ("Creatinine", "2160-0", "umol/L", 50, 110),
    ("Sodium", "2951-2", "mmol/L", 135, 145),
    ("Potassium", "2823-3", "mmol/L", 3, 5),
    ("Cholesterol", "2093-3", "mg/dL", 100, 200),
    ("Triglycerides", "2571-8", "mg/dL", 40, 150),
    ("Hemoglobin", "718-7", "g/L", 120, 160),
    ("Leukocytes", "6690-2", "10*3/uL", 4, 11),
    ("Platelets", "777-3", "10*3/uL", 150, 400),
    ("Ferritin", "2276-4", "ng/mL", 15, 150),
    ("TSH", "3016-3", "mIU/L", 1, 4),
    ("ALT", "1742-6", "U/L", 5, 40),
];
