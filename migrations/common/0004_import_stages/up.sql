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
