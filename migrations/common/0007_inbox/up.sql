-- The inbox: where documents went from it, what lies in its folder; and what documents are found by in a list.

-- The words of the name and the description, as they are compared.
ALTER TABLE files ADD COLUMN folded TEXT NOT NULL DEFAULT '';
UPDATE files SET folded = LOWER(file_name || ' ' || COALESCE(description, ''));

-- Who took a document out of which inbox, so that whoever comes second is told.
CREATE TABLE inbox_filings (
    file_id TEXT PRIMARY KEY NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    household_id TEXT NOT NULL REFERENCES households (id) ON DELETE CASCADE,
    filed_by TEXT REFERENCES users (id) ON DELETE SET NULL,
    filed_at TIMESTAMP NOT NULL
);
CREATE INDEX inbox_filings_household ON inbox_filings (household_id);

-- What lay in the watched folder at the last look. It is taken in when it has not changed since, and then its checksum stands here until it is
-- gone from the folder: whatever breaks off in between, it becomes one document.
CREATE TABLE inbox_arrivals (
    household_id TEXT NOT NULL REFERENCES households (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    size BIGINT NOT NULL,
    -- Nanoseconds since 1970.
    modified BIGINT NOT NULL,
    seen_at TIMESTAMP NOT NULL,
    -- Of what became a document.
    sha256 TEXT,
    PRIMARY KEY (household_id, name)
);
