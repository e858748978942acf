-- People, places, access, and the tables every record hangs on. Portable: the same text runs on SQLite and PostgreSQL.
-- Ids are UUIDv7 text, moments are UTC, partial dates and choices are text checked by the program.

CREATE TABLE households (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE users (
    id TEXT PRIMARY KEY NOT NULL,
    household_id TEXT NOT NULL REFERENCES households (id),
    username TEXT NOT NULL,
    username_folded TEXT NOT NULL UNIQUE,
    email TEXT UNIQUE,
    password_hash TEXT,
    full_name TEXT NOT NULL,
    role TEXT NOT NULL,
    auth_method TEXT NOT NULL DEFAULT 'local',
    sso_linking_preference TEXT,
    last_sso_login TIMESTAMP,
    account_linked_at TIMESTAMP,
    disabled_at TIMESTAMP,
    last_seen_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

CREATE TABLE household_members (
    household_id TEXT NOT NULL REFERENCES households (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (household_id, user_id)
);
CREATE INDEX household_members_user ON household_members (user_id);

CREATE TABLE user_preferences (
    user_id TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    unit_system TEXT NOT NULL DEFAULT 'imperial',
    session_timeout_minutes INTEGER NOT NULL DEFAULT 30,
    language TEXT NOT NULL DEFAULT 'en',
    date_format TEXT NOT NULL DEFAULT 'locale',
    paperless_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    paperless_url TEXT,
    paperless_api_token_encrypted TEXT,
    paperless_username_encrypted TEXT,
    paperless_password_encrypted TEXT,
    default_storage_backend TEXT NOT NULL DEFAULT 'local',
    paperless_auto_sync BOOLEAN NOT NULL DEFAULT FALSE,
    paperless_sync_tags BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

-- The query a person last used on a kind's list, so that the list opens the way they left it.
CREATE TABLE list_views (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    patient_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    query TEXT NOT NULL,
    PRIMARY KEY (user_id, patient_id, kind)
);

CREATE TABLE sessions (
    key_hash TEXT PRIMARY KEY NOT NULL,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    remember BOOLEAN NOT NULL DEFAULT FALSE,
    address TEXT,
    agent TEXT,
    created_at TIMESTAMP NOT NULL,
    last_seen_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE api_tokens (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    may_write BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP,
    last_used_at TIMESTAMP,
    revoked_at TIMESTAMP
);
CREATE INDEX api_tokens_user ON api_tokens (user_id);

-- Failed sign-ins, counted for an account and for an address before any hash is computed.
CREATE TABLE throttles (
    subject TEXT PRIMARY KEY NOT NULL,
    failures INTEGER NOT NULL,
    window_started_at TIMESTAMP NOT NULL,
    blocked_until TIMESTAMP
);

-- Small facts about this installation: the check value of the secret key, the setup code's hash.
CREATE TABLE installation (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);

CREATE TABLE practices (
    id TEXT PRIMARY KEY NOT NULL,
    household_id TEXT NOT NULL REFERENCES households (id) ON DELETE CASCADE,
    name TEXT,
    npi TEXT,
    phone_number TEXT,
    fax_number TEXT,
    website TEXT,
    address TEXT,
    notes TEXT,
    source TEXT,
    source_key TEXT,
    is_published BOOLEAN NOT NULL DEFAULT FALSE,
    version INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    UNIQUE (household_id, source_key)
);
CREATE INDEX practices_household ON practices (household_id, name);

CREATE TABLE practitioners (
    id TEXT PRIMARY KEY NOT NULL,
    household_id TEXT NOT NULL REFERENCES households (id) ON DELETE CASCADE,
    practice_id TEXT REFERENCES practices (id) ON DELETE SET NULL,
    name TEXT,
    specialty TEXT,
    practice TEXT,
    npi TEXT,
    phone_number TEXT,
    email TEXT,
    website TEXT,
    rating TEXT,
    notes TEXT,
    source TEXT,
    source_key TEXT,
    is_published BOOLEAN NOT NULL DEFAULT FALSE,
    version INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    UNIQUE (household_id, source_key)
);
CREATE INDEX practitioners_household ON practitioners (household_id, name);

CREATE TABLE pharmacies (
    id TEXT PRIMARY KEY NOT NULL,
    household_id TEXT NOT NULL REFERENCES households (id) ON DELETE CASCADE,
    name TEXT,
    brand TEXT,
    street_address TEXT,
    city TEXT,
    state TEXT,
    zip_code TEXT,
    country TEXT,
    store_number TEXT,
    phone_number TEXT,
    fax_number TEXT,
    email TEXT,
    website TEXT,
    hours TEXT,
    drive_through BOOLEAN,
    twenty_four_hour BOOLEAN,
    specialty_services TEXT,
    source TEXT,
    source_key TEXT,
    is_published BOOLEAN NOT NULL DEFAULT FALSE,
    version INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    UNIQUE (household_id, source_key)
);
CREATE INDEX pharmacies_household ON pharmacies (household_id, name);

CREATE TABLE patients (
    id TEXT PRIMARY KEY NOT NULL,
    household_id TEXT NOT NULL REFERENCES households (id),
    owner_user_id TEXT NOT NULL REFERENCES users (id),
    first_name TEXT,
    last_name TEXT,
    birth_date TEXT,
    gender TEXT,
    blood_type TEXT,
    address TEXT,
    phone_number TEXT,
    email TEXT,
    language TEXT,
    record_number TEXT,
    physician_id TEXT REFERENCES practitioners (id) ON DELETE SET NULL,
    relationship TEXT,
    is_self_record BOOLEAN,
    privacy_level TEXT,
    is_externally_accessible BOOLEAN,
    status TEXT,
    deceased_on TEXT,
    notes TEXT,
    source TEXT NOT NULL,
    source_key TEXT,
    version INTEGER NOT NULL,
    created_by TEXT,
    created_at TIMESTAMP NOT NULL,
    updated_by TEXT,
    updated_at TIMESTAMP NOT NULL,
    deleted_at TIMESTAMP
);
CREATE INDEX patients_owner ON patients (owner_user_id);
CREATE INDEX patients_household ON patients (household_id);
-- One own record an account.
CREATE UNIQUE INDEX patients_self ON patients (owner_user_id) WHERE is_self_record = TRUE AND deleted_at IS NULL;

CREATE TABLE patient_owners (
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (patient_id, user_id)
);
CREATE INDEX patient_owners_user ON patient_owners (user_id);

-- What one person may see of another's patient. NULL lists mean "all"; `without` names sensitivities left out.
CREATE TABLE patient_shares (
    id TEXT PRIMARY KEY NOT NULL,
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    shared_by_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    shared_with_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    permission_level TEXT NOT NULL,
    kinds TEXT,
    tags TEXT,
    without TEXT,
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    starts_at TIMESTAMP,
    expires_at TIMESTAMP,
    note TEXT,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    UNIQUE (patient_id, shared_with_user_id)
);
CREATE INDEX patient_shares_with ON patient_shares (shared_with_user_id);

-- "No known allergies": said on purpose, which is not the same as an empty list.
CREATE TABLE none_known (
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    noted_by TEXT,
    noted_at TIMESTAMP NOT NULL,
    PRIMARY KEY (patient_id, kind)
);

CREATE TABLE patient_versions (
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    source TEXT NOT NULL,
    at TIMESTAMP NOT NULL,
    snapshot TEXT NOT NULL,
    PRIMARY KEY (patient_id, version)
);

-- The header every record has. A kind's own columns are in its own table under the same id.
CREATE TABLE records (
    id TEXT PRIMARY KEY NOT NULL,
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    occurred_on TEXT,
    ended_on TEXT,
    status TEXT,
    practitioner_id TEXT REFERENCES practitioners (id) ON DELETE SET NULL,
    sensitivity TEXT NOT NULL DEFAULT 'normal',
    notes TEXT,
    source TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_by TEXT,
    created_at TIMESTAMP NOT NULL,
    updated_by TEXT,
    updated_at TIMESTAMP NOT NULL,
    deleted_at TIMESTAMP,
    UNIQUE (patient_id, id)
);
-- Nearly every query wants living records only. An index of those answers the counts of the menu alone, and gives lists, timeline and the
-- latest changes in their order without sorting.
CREATE INDEX records_by_date ON records (patient_id, kind, occurred_on, id) WHERE deleted_at IS NULL;
CREATE INDEX records_timeline ON records (patient_id, occurred_on, id) WHERE deleted_at IS NULL;
CREATE INDEX records_changed ON records (patient_id, updated_at, occurred_on, id) WHERE deleted_at IS NULL;
CREATE INDEX records_trash ON records (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX records_practitioner ON records (practitioner_id) WHERE practitioner_id IS NOT NULL;
-- Whom a patient's records name: what a form offers.
CREATE INDEX records_people ON records (patient_id, practitioner_id) WHERE practitioner_id IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE record_versions (
    record_id TEXT NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    source TEXT NOT NULL,
    at TIMESTAMP NOT NULL,
    snapshot TEXT NOT NULL,
    PRIMARY KEY (record_id, version)
);

-- Both ends belong to the same patient: the composite keys make a link across patients impossible.
CREATE TABLE record_links (
    patient_id TEXT NOT NULL,
    from_id TEXT NOT NULL,
    to_id TEXT NOT NULL,
    relation TEXT NOT NULL,
    relevance_note TEXT,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (from_id, relation, to_id),
    FOREIGN KEY (patient_id, from_id) REFERENCES records (patient_id, id) ON DELETE CASCADE,
    FOREIGN KEY (patient_id, to_id) REFERENCES records (patient_id, id) ON DELETE CASCADE
);
CREATE INDEX record_links_to ON record_links (to_id);

CREATE TABLE tags (
    id TEXT PRIMARY KEY NOT NULL,
    household_id TEXT NOT NULL REFERENCES households (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    color TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    UNIQUE (household_id, name_folded)
);

CREATE TABLE record_tags (
    patient_id TEXT NOT NULL,
    record_id TEXT NOT NULL,
    tag_id TEXT NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    PRIMARY KEY (record_id, tag_id),
    FOREIGN KEY (patient_id, record_id) REFERENCES records (patient_id, id) ON DELETE CASCADE
);
CREATE INDEX record_tags_tag ON record_tags (tag_id);

-- The codes another system gave a record (RxNorm, SNOMED CT, LOINC, CVX ...), as they came.
CREATE TABLE record_codes (
    record_id TEXT NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    system TEXT NOT NULL,
    code TEXT NOT NULL,
    display TEXT,
    PRIMARY KEY (record_id, position)
);
CREATE INDEX record_codes_code ON record_codes (system, code);

CREATE TABLE imports (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    patient_id TEXT REFERENCES patients (id) ON DELETE CASCADE,
    file_name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    state TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    report TEXT,
    content TEXT,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX imports_user ON imports (user_id, created_at);

-- Where an imported record came from, and its fields as the source last told them: what a person changed since shows.
CREATE TABLE record_origins (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    patient_id TEXT NOT NULL,
    source_key TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    told TEXT NOT NULL,
    original TEXT NOT NULL,
    imported_at TIMESTAMP NOT NULL,
    UNIQUE (patient_id, source_key)
);

-- A newer value from a source for a field that a person had changed: offered, never applied.
CREATE TABLE import_offers (
    record_id TEXT NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    field TEXT NOT NULL,
    value TEXT NOT NULL,
    offered_at TIMESTAMP NOT NULL,
    PRIMARY KEY (record_id, field)
);

-- What a source told that has no home here yet: kept whole, listed and counted.
CREATE TABLE imported_leftovers (
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    source_key TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    reason TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    original TEXT NOT NULL,
    imported_at TIMESTAMP NOT NULL,
    PRIMARY KEY (patient_id, source_key)
);

-- What sources told of a patient as a person, and of their file as such, as it came.
CREATE TABLE patient_originals (
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    source_key TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    original TEXT NOT NULL,
    imported_at TIMESTAMP NOT NULL,
    PRIMARY KEY (patient_id, source_key)
);

-- The same of an entry of the directory. It belongs to the household that imported it: the entry may be another's, published.
CREATE TABLE directory_originals (
    household_id TEXT NOT NULL REFERENCES households (id) ON DELETE CASCADE,
    list TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    source_key TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    original TEXT NOT NULL,
    imported_at TIMESTAMP NOT NULL,
    PRIMARY KEY (household_id, list, entry_id, source_key)
);
CREATE INDEX directory_originals_entry ON directory_originals (entry_id);

-- Outlives what it tells of: no foreign keys, no medical values.
CREATE TABLE audit_events (
    id TEXT PRIMARY KEY NOT NULL,
    at TIMESTAMP NOT NULL,
    actor TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    action TEXT NOT NULL,
    patient_id TEXT,
    record_id TEXT,
    kind TEXT,
    version INTEGER,
    address TEXT,
    session_id TEXT,
    success BOOLEAN NOT NULL DEFAULT TRUE,
    detail TEXT
);
CREATE INDEX audit_events_patient ON audit_events (patient_id, at);
CREATE INDEX audit_events_actor ON audit_events (actor, at);

CREATE TABLE jobs (
    id TEXT PRIMARY KEY NOT NULL,
    task TEXT NOT NULL,
    payload TEXT NOT NULL DEFAULT '',
    unique_key TEXT UNIQUE,
    repeat_seconds INTEGER,
    run_at TIMESTAMP NOT NULL,
    leased_until TIMESTAMP,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX jobs_due ON jobs (run_at);

-- A large file is written in several short transactions, and nothing of it shows before the last one. What a stage has written so far,
-- so that it can be shown all at once, or taken back all at once.
CREATE TABLE import_stages (
    id TEXT PRIMARY KEY NOT NULL,
    touched_at TIMESTAMP NOT NULL
);
CREATE TABLE import_staged (
    stage_id TEXT NOT NULL REFERENCES import_stages (id) ON DELETE CASCADE,
    sort TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (stage_id, sort, id)
);

-- What other systems call a patient (`system|value`): by it the next file finds them, whatever its own keys are.
CREATE TABLE patient_identifiers (
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    identifier TEXT NOT NULL,
    PRIMARY KEY (patient_id, identifier)
);
CREATE INDEX patient_identifiers_identifier ON patient_identifiers (identifier);
