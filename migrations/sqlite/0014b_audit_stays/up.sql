-- What is written into the audit stays as it is: an event is given its seal once, a seal the mark that its batch was pruned, and only what
-- such a batch held can be deleted. Replacing a row is deleting it, of which SQLite tells no trigger: hence the two on INSERT.
CREATE TRIGGER audit_events_as_written BEFORE UPDATE ON audit_events
WHEN NOT (old.seal IS NULL AND new.seal IS NOT NULL AND new.id IS old.id AND new.at IS old.at AND new.actor IS old.actor
    AND new.actor_name IS old.actor_name AND new.action IS old.action AND new.patient_id IS old.patient_id
    AND new.record_id IS old.record_id AND new.kind IS old.kind AND new.version IS old.version AND new.address IS old.address
    AND new.session_id IS old.session_id AND new.success IS old.success AND new.detail IS old.detail)
BEGIN
    SELECT RAISE(ABORT, 'the audit is only added to');
END;
CREATE TRIGGER audit_events_stay BEFORE DELETE ON audit_events
WHEN NOT EXISTS (SELECT 1 FROM audit_seals WHERE number = old.seal AND pruned_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'the audit is only added to');
END;
CREATE TRIGGER audit_events_once BEFORE INSERT ON audit_events
WHEN EXISTS (SELECT 1 FROM audit_events WHERE id = new.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit is only added to');
END;
CREATE TRIGGER audit_seals_as_written BEFORE UPDATE ON audit_seals
WHEN NOT (old.pruned_at IS NULL AND new.pruned_at IS NOT NULL AND old.pruned_mac IS NULL AND new.pruned_mac IS NOT NULL
    AND new.number IS old.number AND new.events IS old.events AND new.total IS old.total AND new.first_at IS old.first_at
    AND new.last_at IS old.last_at AND new.hash IS old.hash AND new.mac IS old.mac AND new.sealed_at IS old.sealed_at)
BEGIN
    SELECT RAISE(ABORT, 'the audit is only added to');
END;
CREATE TRIGGER audit_seals_stay BEFORE DELETE ON audit_seals
BEGIN
    SELECT RAISE(ABORT, 'the audit is only added to');
END;
CREATE TRIGGER audit_seals_once BEFORE INSERT ON audit_seals
WHEN EXISTS (SELECT 1 FROM audit_seals WHERE number = new.number)
BEGIN
    SELECT RAISE(ABORT, 'the audit is only added to');
END;
