-- Who somebody is at an OpenID provider: an account may have several, one belongs to one account. Accounts are found by issuer and subject and
-- by nothing else; the label is what its owner knows it by.
CREATE TABLE user_identities (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    label TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP,
    UNIQUE (issuer, subject)
);
CREATE INDEX user_identities_user ON user_identities (user_id);

-- What stands between the beginning of a sign-in and its end elsewhere, once each: named by the hash of what the browser brings back.
CREATE TABLE sign_in_steps (
    key_hash TEXT PRIMARY KEY NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    sealed TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX sign_in_steps_expires ON sign_in_steps (expires_at);
