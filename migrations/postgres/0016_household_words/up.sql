-- The words of documents that are a household's own, in its inbox or of its practitioners: an index apart from that of the patients' documents.
CREATE TABLE shelf_search_entries (
    file_id TEXT PRIMARY KEY NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    household_id TEXT NOT NULL REFERENCES households (id) ON DELETE CASCADE,
    words TSVECTOR NOT NULL
);
CREATE INDEX shelf_search_entries_words ON shelf_search_entries USING GIN (words);
CREATE INDEX shelf_search_entries_household ON shelf_search_entries (household_id);
