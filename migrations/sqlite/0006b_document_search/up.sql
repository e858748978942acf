-- Documents beside records: the same words, an index of their own.
CREATE TABLE file_search_entries (
    id INTEGER PRIMARY KEY,
    file_id TEXT UNIQUE REFERENCES files (id) ON DELETE CASCADE,
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE
);
CREATE INDEX file_search_entries_patient ON file_search_entries (patient_id);
CREATE VIRTUAL TABLE file_search_words USING fts5 (words, content = '', contentless_delete = 1, detail = 'none',
    prefix = '2 3 4 5 6', tokenize = "unicode61 remove_diacritics 0");
CREATE TRIGGER file_search_entries_gone AFTER DELETE ON file_search_entries BEGIN
    DELETE FROM file_search_words WHERE rowid = old.id;
END;
