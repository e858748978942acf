ALTER TABLE sessions DROP COLUMN id_token;
ALTER TABLE sessions DROP COLUMN identity_id;
ALTER TABLE sessions DROP COLUMN proved_at;
ALTER TABLE sessions DROP COLUMN way;
