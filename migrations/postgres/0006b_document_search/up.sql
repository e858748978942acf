-- Documents beside records: the same words, an index of their own.
CREATE TABLE file_search_entries (
    file_id TEXT PRIMARY KEY NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    words TSVECTOR NOT NULL
);
CREATE INDEX file_search_entries_words ON file_search_entries USING GIN (words);
CREATE INDEX file_search_entries_patient ON file_search_entries (patient_id);
