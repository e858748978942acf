-- Documents: sealed bytes, and the papers of a record, a patient, a practitioner or a household's inbox.

-- What a store keeps, or is about to: made before the bytes are, gone after them, so that whatever lies on the disk is explained.
CREATE TABLE blobs (
    name TEXT PRIMARY KEY NOT NULL,
    storage_backend TEXT NOT NULL,
    -- arriving, kept, leaving
    state TEXT NOT NULL CHECK (state IN ('arriving', 'kept', 'leaving')),
    -- Which of the installation's keys wraps the file's own, and that.
    key_id TEXT NOT NULL,
    wrapped_key TEXT NOT NULL,
    -- Of the bytes as they came.
    size BIGINT,
    sha256 TEXT,
    md5 TEXT,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX blobs_waiting ON blobs (state, created_at);

-- Which key protects what, since when.
CREATE TABLE encryption_keys (
    id TEXT PRIMARY KEY NOT NULL,
    purpose TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    since TIMESTAMP NOT NULL,
    retired_at TIMESTAMP
);

CREATE TABLE files (
    id TEXT PRIMARY KEY NOT NULL,
    -- Exactly one of patient (with or without a record of theirs), practitioner, household (its inbox).
    patient_id TEXT REFERENCES patients (id) ON DELETE CASCADE,
    record_id TEXT,
    practitioner_id TEXT REFERENCES practitioners (id) ON DELETE CASCADE,
    household_id TEXT REFERENCES households (id) ON DELETE CASCADE,
    blob TEXT NOT NULL UNIQUE REFERENCES blobs (name),
    file_name TEXT NOT NULL,
    file_type TEXT NOT NULL,
    file_size BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    md5 TEXT NOT NULL,
    description TEXT,
    category TEXT,
    -- As precise as it is known.
    document_date TEXT,
    uploaded_by TEXT REFERENCES users (id) ON DELETE SET NULL,
    uploaded_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    deleted_at TIMESTAMP,
    version INTEGER NOT NULL,
    FOREIGN KEY (patient_id, record_id) REFERENCES records (patient_id, id) ON DELETE CASCADE,
    CHECK ((patient_id IS NOT NULL AND practitioner_id IS NULL AND household_id IS NULL)
        OR (patient_id IS NULL AND record_id IS NULL AND practitioner_id IS NOT NULL AND household_id IS NULL)
        OR (patient_id IS NULL AND record_id IS NULL AND practitioner_id IS NULL AND household_id IS NOT NULL))
);
CREATE INDEX files_patient ON files (patient_id, deleted_at);
CREATE INDEX files_record ON files (record_id) WHERE record_id IS NOT NULL;
CREATE INDEX files_practitioner ON files (practitioner_id) WHERE practitioner_id IS NOT NULL;
CREATE INDEX files_household ON files (household_id) WHERE household_id IS NOT NULL;
CREATE INDEX files_sha256 ON files (sha256);
CREATE INDEX files_category ON files (category);
CREATE INDEX files_uploaded_at ON files (uploaded_at);
