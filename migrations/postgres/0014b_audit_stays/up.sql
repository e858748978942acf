-- What is written into the audit stays as it is: an event is given its seal once, a seal the mark that its batch was pruned, and only what
-- such a batch held can be deleted. The conditions stand in the functions: a column named in a trigger itself could not be altered any more.
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only added to';
END $$;
CREATE FUNCTION audit_event_as_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.seal IS NULL AND NEW.seal IS NOT NULL
        AND ROW(NEW.id, NEW.at, NEW.actor, NEW.actor_name, NEW.action, NEW.patient_id, NEW.record_id, NEW.kind, NEW.version, NEW.address,
            NEW.session_id, NEW.success, NEW.detail)
        IS NOT DISTINCT FROM ROW(OLD.id, OLD.at, OLD.actor, OLD.actor_name, OLD.action, OLD.patient_id, OLD.record_id, OLD.kind,
            OLD.version, OLD.address, OLD.session_id, OLD.success, OLD.detail)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit is only added to';
END $$;
CREATE FUNCTION audit_event_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM audit_seals WHERE number = OLD.seal AND pruned_at IS NOT NULL) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit is only added to';
END $$;
CREATE FUNCTION audit_seal_as_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.pruned_at IS NULL AND NEW.pruned_at IS NOT NULL AND OLD.pruned_mac IS NULL AND NEW.pruned_mac IS NOT NULL
        AND ROW(NEW.number, NEW.events, NEW.total, NEW.first_at, NEW.last_at, NEW.hash, NEW.mac, NEW.sealed_at)
        IS NOT DISTINCT FROM ROW(OLD.number, OLD.events, OLD.total, OLD.first_at, OLD.last_at, OLD.hash, OLD.mac, OLD.sealed_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit is only added to';
END $$;
CREATE TRIGGER audit_events_as_written BEFORE UPDATE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_event_as_written();
CREATE TRIGGER audit_events_stay BEFORE DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_event_stays();
CREATE TRIGGER audit_events_not_emptied BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_seals_as_written BEFORE UPDATE ON audit_seals FOR EACH ROW EXECUTE FUNCTION audit_seal_as_written();
CREATE TRIGGER audit_seals_stay BEFORE DELETE ON audit_seals FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_seals_not_emptied BEFORE TRUNCATE ON audit_seals FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
