-- Sharing: invitations, what a share remembers, family history shared member by member, links for professionals, and who opened them.

-- Whether the address is known to be the account's own; until then nobody is found by it who was invited by address.
ALTER TABLE users ADD COLUMN email_verified_at TIMESTAMP;

-- Nothing is stored that opens an invitation: its link is made from the id and the generation with the installation's key. Sending again
-- raises the generation, and the link before is dead. `sent_to` is what the sender typed; whom it found is never shown to them.
CREATE TABLE invitations (
    id TEXT PRIMARY KEY NOT NULL,
    sent_by_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sent_to_user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    sent_to TEXT NOT NULL,
    household_id TEXT REFERENCES households (id) ON DELETE CASCADE,
    invitation_type TEXT NOT NULL,
    status TEXT NOT NULL,
    title TEXT NOT NULL,
    message TEXT,
    context_data TEXT NOT NULL,
    generation INTEGER NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    responded_at TIMESTAMP,
    response_note TEXT,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX invitations_by ON invitations (sent_by_user_id, created_at);
CREATE INDEX invitations_to ON invitations (sent_to_user_id, created_at);
CREATE INDEX invitations_name ON invitations (sent_to, status);

-- What an invitation is about, so that a patient's page finds the invitations that wait for an answer.
CREATE TABLE invitation_patients (
    invitation_id TEXT NOT NULL REFERENCES invitations (id) ON DELETE CASCADE,
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    PRIMARY KEY (invitation_id, patient_id)
);
CREATE INDEX invitation_patients_patient ON invitation_patients (patient_id);

ALTER TABLE patient_shares ADD COLUMN invitation_id TEXT REFERENCES invitations (id) ON DELETE SET NULL;
-- When the people concerned were told that it is about to end, and that it ended.
ALTER TABLE patient_shares ADD COLUMN warned_at TIMESTAMP;
ALTER TABLE patient_shares ADD COLUMN ended_told_at TIMESTAMP;
CREATE INDEX patient_shares_ends ON patient_shares (expires_at) WHERE expires_at IS NOT NULL;

-- One member of a family's history, shown to another person. Ended ones stay as the history of it.
CREATE TABLE family_history_shares (
    id TEXT PRIMARY KEY NOT NULL,
    invitation_id TEXT REFERENCES invitations (id) ON DELETE SET NULL,
    patient_id TEXT NOT NULL,
    family_member_id TEXT NOT NULL,
    shared_by_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    shared_with_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    permission_level TEXT NOT NULL DEFAULT 'view',
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    expires_at TIMESTAMP,
    sharing_note TEXT,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    FOREIGN KEY (patient_id, family_member_id) REFERENCES records (patient_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX unique_active_family_history_share_partial ON family_history_shares (family_member_id, shared_with_user_id)
    WHERE is_active = TRUE;
CREATE INDEX family_history_shares_with ON family_history_shares (shared_with_user_id);

-- A link for somebody without an account. Its address is made like an invitation's; the passcode is kept as a hash.
CREATE TABLE professional_links (
    id TEXT PRIMARY KEY NOT NULL,
    patient_id TEXT NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    created_by TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    kinds TEXT,
    tags TEXT,
    without TEXT,
    passcode_hash TEXT,
    wrong_tries INTEGER NOT NULL DEFAULT 0,
    most_wrong_tries INTEGER NOT NULL,
    openings INTEGER NOT NULL DEFAULT 0,
    most_openings INTEGER,
    expires_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX professional_links_patient ON professional_links (patient_id, created_at);

-- Each opening and each wrong passcode; the visit's key is kept as a hash, so that reading on and printing open nothing anew.
CREATE TABLE link_openings (
    id TEXT PRIMARY KEY NOT NULL,
    link_id TEXT NOT NULL REFERENCES professional_links (id) ON DELETE CASCADE,
    at TIMESTAMP NOT NULL,
    outcome TEXT NOT NULL,
    address TEXT,
    agent TEXT,
    visit_hash TEXT UNIQUE,
    visit_until TIMESTAMP
);
CREATE INDEX link_openings_link ON link_openings (link_id, at);

-- A keeper looks after a household; whoever founded one is its keeper.
UPDATE household_members SET role = 'keeper' WHERE role = 'owner';

-- Who is written down twice is written once: a relative who is also a patient here.
ALTER TABLE family_members ADD COLUMN linked_patient_id TEXT REFERENCES patients (id) ON DELETE SET NULL;
