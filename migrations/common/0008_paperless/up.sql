-- Documents in somebody's Paperless-ngx: whose it is, and what is there, or shall be.

CREATE TABLE paperless_connections (
    user_id TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    sealed_token TEXT NOT NULL,
    -- Where what this person adds is kept: local or paperless.
    default_store TEXT NOT NULL CHECK (default_store IN ('local', 'paperless')),
    -- Is the copy here kept when the document is there?
    keep_local BOOLEAN NOT NULL,
    sync_tags BOOLEAN NOT NULL,
    -- The account's name and the server's version, as the last test was told.
    account TEXT,
    server_version TEXT,
    -- What keeps everything of this connection waiting, and until when it is left alone.
    fault TEXT,
    fault_at TIMESTAMP,
    pauses INTEGER NOT NULL,
    paused_until TIMESTAMP,
    -- When everything that is there was last looked at.
    looked_at TIMESTAMP,
    -- Everything is being brought back; then it ends.
    leaving BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

CREATE TABLE paperless_copies (
    file_id TEXT PRIMARY KEY NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    -- Whose Paperless-ngx. A connection is not removed while documents are in it.
    user_id TEXT NOT NULL REFERENCES paperless_connections (user_id),
    state TEXT NOT NULL CHECK (state IN ('pending', 'processing', 'synced', 'failed', 'missing')),
    -- What is done next.
    step TEXT NOT NULL CHECK (step IN ('find', 'send', 'poll', 'prove', 'tell', 'return', 'rest')),
    -- A word of the program, and perhaps a colon and what it is about.
    reason TEXT,
    document_id BIGINT,
    task_id TEXT,
    -- An upload has begun of which nobody knows yet what came of it.
    uncertain_since TIMESTAMP,
    sends INTEGER NOT NULL,
    sent_at TIMESTAMP,
    -- It was read back, and its checksum agreed.
    proved_at TIMESTAMP,
    keep_local BOOLEAN NOT NULL,
    -- What was last told of it there, as JSON.
    told TEXT,
    seen_title TEXT,
    seen_tags TEXT,
    attempts INTEGER NOT NULL,
    next_at TIMESTAMP,
    lease TEXT,
    leased_until TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX paperless_copies_due ON paperless_copies (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX paperless_copies_user ON paperless_copies (user_id, state);
