-- Events are sealed in batches: a keyed hash over each batch covers the one before, so that a change of what is sealed shows.
CREATE TABLE audit_seals (
    number BIGINT PRIMARY KEY NOT NULL,
    -- Events of this batch, and of all up to it.
    events BIGINT NOT NULL,
    total BIGINT NOT NULL,
    first_at TIMESTAMP NOT NULL,
    last_at TIMESTAMP NOT NULL,
    hash TEXT NOT NULL,
    mac TEXT NOT NULL,
    sealed_at TIMESTAMP NOT NULL,
    -- The batch was old enough to go; the mark is signed as well.
    pruned_at TIMESTAMP,
    pruned_mac TEXT
);
-- Its batch; nothing until the job comes by.
ALTER TABLE audit_events ADD COLUMN seal BIGINT;
CREATE INDEX audit_events_seal ON audit_events (seal, id);
-- The pages: everybody's, of one action, about an account, and who did anything with a patient.
CREATE INDEX audit_events_at ON audit_events (at, id);
CREATE INDEX audit_events_action ON audit_events (action, at, id);
CREATE INDEX audit_events_detail ON audit_events (detail, at, id);
CREATE INDEX audit_events_who ON audit_events (patient_id, actor, at);
CREATE INDEX audit_events_refused ON audit_events (at, id) WHERE success = FALSE;
