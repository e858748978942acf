-- Folded words, the patient's id among them as a token: one index lookup answers "these words, in these charts".
CREATE TABLE search_entries (
    record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id) ON DELETE CASCADE,
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    words TSVECTOR NOT NULL
);
CREATE INDEX search_entries_words ON search_entries USING GIN (words);
CREATE INDEX search_entries_patient ON search_entries (patient_id);
