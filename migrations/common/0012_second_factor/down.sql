ALTER TABLE users DROP COLUMN factors_reset_at;
ALTER TABLE users DROP COLUMN asks_after_provider;
DROP TABLE passkey_challenges;
DROP TABLE recovery_codes;
DROP TABLE passkeys;
DROP TABLE totp_factors;
