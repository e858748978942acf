-- What somebody has beside their password. The secret of the app with codes is sealed; it counts once a code has proved that the app has it,
-- and no code of a step up to the last one is taken again.
CREATE TABLE totp_factors (
    user_id TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sealed_secret TEXT NOT NULL,
    confirmed_at TIMESTAMP,
    last_step BIGINT,
    last_used_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL
);

-- A credential holds public keys only.
CREATE TABLE passkeys (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    credential_id TEXT NOT NULL UNIQUE,
    credential TEXT NOT NULL,
    last_used_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX passkeys_of_user ON passkeys (user_id);

CREATE TABLE recovery_codes (
    code_hash TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    used_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX recovery_codes_of_user ON recovery_codes (user_id);

-- What a passkey was asked for; gone with the first answer.
CREATE TABLE passkey_challenges (
    id TEXT PRIMARY KEY NOT NULL,
    purpose TEXT NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX passkey_challenges_by_end ON passkey_challenges (expires_at);

-- Whether who comes from a provider is asked here, too; and since when somebody is to be told that their factors were taken away.
ALTER TABLE users ADD COLUMN asks_after_provider BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE users ADD COLUMN factors_reset_at TIMESTAMP;
