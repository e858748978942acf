DROP INDEX audit_events_refused;
DROP INDEX audit_events_who;
DROP INDEX audit_events_detail;
DROP INDEX audit_events_action;
DROP INDEX audit_events_at;
DROP INDEX audit_events_seal;
ALTER TABLE audit_events DROP COLUMN seal;
DROP TABLE audit_seals;
