-- One-time links of an account: to set a password, to confirm an address, to undo a changed one. The link's text is kept as a hash only, and the
-- row goes with its use.
CREATE TABLE account_links (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose TEXT NOT NULL CHECK (purpose IN ('reset', 'verify', 'undo')),
    hash TEXT NOT NULL UNIQUE,
    -- The address it was sent to, or is about.
    email TEXT,
    -- The administrator who made it by hand.
    made_by TEXT,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX account_links_user ON account_links (user_id, purpose);
CREATE INDEX account_links_ends ON account_links (expires_at);

-- What somebody is told about their account when they come the next time.
CREATE TABLE account_notices (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    word TEXT NOT NULL,
    by_name TEXT,
    at TIMESTAMP NOT NULL,
    seen_at TIMESTAMP
);
CREATE INDEX account_notices_user ON account_notices (user_id) WHERE seen_at IS NULL;

-- Accounts that are closed and go for good once nothing is theirs any more: their people were taken over or have left the trash.
CREATE TABLE account_removals (
    user_id TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    by_user TEXT NOT NULL,
    by_name TEXT NOT NULL,
    plan TEXT NOT NULL CHECK (plan IN ('trash', 'give')),
    -- Whom their people are offered to.
    to_user TEXT REFERENCES users (id) ON DELETE SET NULL,
    state TEXT NOT NULL CHECK (state IN ('asked', 'declined', 'due')),
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX account_removals_to ON account_removals (to_user) WHERE to_user IS NOT NULL;
