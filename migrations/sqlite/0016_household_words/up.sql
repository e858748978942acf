-- The words of documents that are a household's own, in its inbox or of its practitioners: an index apart from that of the patients' documents.
CREATE TABLE shelf_search_entries (
    id INTEGER PRIMARY KEY,
    file_id TEXT UNIQUE REFERENCES files (id) ON DELETE CASCADE,
    household_id TEXT NOT NULL REFERENCES households (id) ON DELETE CASCADE
);
CREATE INDEX shelf_search_entries_household ON shelf_search_entries (household_id);
CREATE VIRTUAL TABLE shelf_search_words USING fts5 (words, content = '', contentless_delete = 1, detail = 'none',
    prefix = '2 3 4 5 6', tokenize = "unicode61 remove_diacritics 0");
CREATE TRIGGER shelf_search_entries_gone AFTER DELETE ON shelf_search_entries BEGIN
    DELETE FROM shelf_search_words WHERE rowid = old.id;
END;
