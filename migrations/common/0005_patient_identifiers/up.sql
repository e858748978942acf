-- What other systems call a patient (`system|value`): by it the next file finds them, whatever its own keys are.
CREATE TABLE patient_identifiers (
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    identifier TEXT NOT NULL,
    PRIMARY KEY (patient_id, identifier)
);
CREATE INDEX patient_identifiers_identifier ON patient_identifiers (identifier);
