-- Folded words, the patient's id among them as a token: one index lookup answers "these words, in these charts".
CREATE TABLE search_entries (
    id INTEGER PRIMARY KEY,
    record_id TEXT UNIQUE REFERENCES records (id) ON DELETE CASCADE,
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE
);
CREATE INDEX search_entries_patient ON search_entries (patient_id);
CREATE VIRTUAL TABLE search_words USING fts5 (words, content = '', contentless_delete = 1, detail = 'none',
    prefix = '2 3 4 5 6', tokenize = "unicode61 remove_diacritics 0");
CREATE TRIGGER search_entries_gone AFTER DELETE ON search_entries BEGIN
    DELETE FROM search_words WHERE rowid = old.id;
END;
