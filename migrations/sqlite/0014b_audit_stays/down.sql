DROP TRIGGER audit_seals_once;
DROP TRIGGER audit_seals_stay;
DROP TRIGGER audit_seals_as_written;
DROP TRIGGER audit_events_once;
DROP TRIGGER audit_events_stay;
DROP TRIGGER audit_events_as_written;
