-- How a session began, when its person last proved who they are, and, for who came from an OpenID provider, which identity that was and the
-- sealed ID token, which the provider wants back when they sign out.
ALTER TABLE sessions ADD COLUMN way TEXT NOT NULL DEFAULT 'password';
ALTER TABLE sessions ADD COLUMN proved_at TIMESTAMP;
ALTER TABLE sessions ADD COLUMN identity_id TEXT;
ALTER TABLE sessions ADD COLUMN id_token TEXT;
