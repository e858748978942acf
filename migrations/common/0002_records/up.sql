-- One narrow table a kind; the header is in `records`. Every column may be empty: required is a rule of the form and the API,
-- because real files leave out what forms insist on. `<column>_number` is a measured text as a number in the column's base unit,
-- kept by the program for sorting and charts and never shown.

CREATE TABLE medications (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    medication_name TEXT,
    medication_type TEXT,
    alternative_name TEXT,
    dosage TEXT,
    frequency TEXT,
    route TEXT,
    indication TEXT,
    side_effects TEXT,
    effective_period_start TEXT,
    effective_period_end TEXT,
    pharmacy_id TEXT REFERENCES pharmacies (id) ON DELETE SET NULL
);

CREATE TABLE conditions (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    condition_name TEXT,
    diagnosis TEXT,
    onset_date TEXT,
    end_date TEXT,
    severity TEXT,
    icd10_code TEXT,
    snomed_code TEXT,
    code_description TEXT
);

CREATE TABLE lab_results (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    test_name TEXT,
    test_code TEXT,
    test_category TEXT,
    test_type TEXT,
    facility TEXT,
    labs_result TEXT,
    ordered_date TEXT,
    completed_date TEXT,
    is_panel BOOLEAN
);

CREATE TABLE allergies (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    allergen TEXT,
    reaction TEXT,
    severity TEXT,
    onset_date TEXT
);

CREATE TABLE vitals (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    recorded_date TEXT,
    systolic_bp TEXT,
    systolic_bp_number DOUBLE PRECISION,
    diastolic_bp TEXT,
    diastolic_bp_number DOUBLE PRECISION,
    heart_rate TEXT,
    heart_rate_number DOUBLE PRECISION,
    temperature TEXT,
    temperature_number DOUBLE PRECISION,
    temperature_unit TEXT,
    weight TEXT,
    weight_number DOUBLE PRECISION,
    weight_unit TEXT,
    height TEXT,
    height_number DOUBLE PRECISION,
    height_unit TEXT,
    oxygen_saturation TEXT,
    oxygen_saturation_number DOUBLE PRECISION,
    respiratory_rate TEXT,
    respiratory_rate_number DOUBLE PRECISION,
    blood_glucose TEXT,
    blood_glucose_number DOUBLE PRECISION,
    blood_glucose_unit TEXT,
    glucose_context TEXT,
    a1c TEXT,
    a1c_number DOUBLE PRECISION,
    bmi TEXT,
    bmi_number DOUBLE PRECISION,
    pain_scale TEXT,
    pain_scale_number DOUBLE PRECISION,
    location TEXT,
    device_used TEXT,
    import_source TEXT
);

CREATE TABLE immunizations (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    vaccine_name TEXT,
    vaccine_trade_name TEXT,
    date_administered TEXT,
    dose_number INTEGER,
    ndc_number TEXT,
    lot_number TEXT,
    manufacturer TEXT,
    site TEXT,
    route TEXT,
    expiration_date TEXT,
    location TEXT
);

CREATE TABLE procedures (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    procedure_name TEXT,
    procedure_type TEXT,
    procedure_code TEXT,
    date TEXT,
    description TEXT,
    facility TEXT,
    procedure_setting TEXT,
    procedure_complications TEXT,
    procedure_duration INTEGER,
    anesthesia_type TEXT,
    anesthesia_notes TEXT
);

CREATE TABLE treatments (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    treatment_name TEXT,
    treatment_type TEXT,
    start_date TEXT,
    end_date TEXT,
    treatment_category TEXT,
    frequency TEXT,
    outcome TEXT,
    description TEXT,
    location TEXT,
    dosage TEXT
);

CREATE TABLE encounters (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    reason TEXT,
    date TEXT,
    visit_type TEXT,
    chief_complaint TEXT,
    history_present_illness TEXT,
    physical_examination TEXT,
    assessment TEXT,
    diagnosis TEXT,
    treatment_plan TEXT,
    discharge_instructions TEXT,
    follow_up_instructions TEXT,
    duration_minutes INTEGER,
    location TEXT,
    priority TEXT
);

CREATE TABLE symptoms (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    symptom_name TEXT,
    category TEXT,
    is_chronic BOOLEAN,
    first_occurrence_date TEXT,
    last_occurrence_date TEXT,
    resolved_date TEXT,
    typical_triggers TEXT
);

CREATE TABLE injuries (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    injury_name TEXT,
    injury_type TEXT,
    body_part TEXT,
    laterality TEXT,
    date_of_injury TEXT,
    mechanism TEXT,
    severity TEXT,
    treatment_received TEXT,
    recovery_notes TEXT
);

CREATE TABLE equipment (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    equipment_name TEXT,
    equipment_type TEXT,
    manufacturer TEXT,
    model_number TEXT,
    serial_number TEXT,
    prescribed_date TEXT,
    last_service_date TEXT,
    next_service_date TEXT,
    usage_instructions TEXT,
    supplier TEXT
);

CREATE TABLE insurance (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    insurance_type TEXT,
    company_name TEXT,
    employer_group TEXT,
    member_name TEXT,
    member_id TEXT,
    group_number TEXT,
    plan_name TEXT,
    policy_holder_name TEXT,
    relationship_to_holder TEXT,
    effective_date TEXT,
    expiration_date TEXT,
    is_primary BOOLEAN,
    coverage_details TEXT,
    contact_info TEXT
);

CREATE TABLE emergency_contacts (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    name TEXT,
    relationship TEXT,
    phone_number TEXT,
    secondary_phone TEXT,
    email TEXT,
    is_primary BOOLEAN,
    is_active BOOLEAN,
    address TEXT
);

CREATE TABLE family_members (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    name TEXT,
    relationship TEXT,
    side TEXT,
    gender TEXT,
    birth_year INTEGER,
    death_year INTEGER,
    is_deceased BOOLEAN,
    is_adopted BOOLEAN
);

CREATE TABLE observations (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    observation_name TEXT,
    category TEXT,
    observed_on TEXT,
    value TEXT,
    value_number DOUBLE PRECISION,
    value_unit TEXT,
    code TEXT
);

CREATE TABLE lab_test_components (
    id TEXT PRIMARY KEY NOT NULL,
    record_id TEXT NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    display_order INTEGER NOT NULL,
    test_name TEXT,
    abbreviation TEXT,
    test_code TEXT,
    result_type TEXT,
    value TEXT,
    value_number DOUBLE PRECISION,
    unit TEXT,
    ref_range_min TEXT,
    ref_range_min_number DOUBLE PRECISION,
    ref_range_max TEXT,
    ref_range_max_number DOUBLE PRECISION,
    ref_range_text TEXT,
    status TEXT,
    category TEXT,
    notes TEXT
);
CREATE INDEX lab_test_components_record ON lab_test_components (record_id, display_order);
CREATE INDEX lab_test_components_test ON lab_test_components (test_code, record_id);

CREATE TABLE family_conditions (
    id TEXT PRIMARY KEY NOT NULL,
    record_id TEXT NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    display_order INTEGER NOT NULL,
    condition_name TEXT,
    diagnosis_age INTEGER,
    severity TEXT,
    status TEXT,
    condition_type TEXT,
    icd10_code TEXT,
    notes TEXT
);
CREATE INDEX family_conditions_record ON family_conditions (record_id, display_order);

CREATE TABLE symptom_occurrences (
    id TEXT PRIMARY KEY NOT NULL,
    record_id TEXT NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    display_order INTEGER NOT NULL,
    occurrence_date TEXT,
    severity TEXT,
    pain_scale INTEGER,
    duration TEXT,
    body_location TEXT,
    triggers TEXT,
    relief_methods TEXT,
    associated_symptoms TEXT,
    impact TEXT,
    resolved_date TEXT,
    notes TEXT
);
CREATE INDEX symptom_occurrences_record ON symptom_occurrences (record_id, display_order);
