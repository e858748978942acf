-- What is made of documents and photographs, and the lane that such work goes in.

-- A lane has a thread of its own, so that what takes minutes holds up nothing else.
ALTER TABLE jobs ADD COLUMN lane TEXT NOT NULL DEFAULT 'common';
DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (lane, run_at);

-- What became of a document: its pictures and its words.
CREATE TABLE file_readings (
    file_id TEXT PRIMARY KEY NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    -- waiting, drawn, none (nothing of this kind can be drawn), protected, damaged, too_large, broken
    pictures TEXT NOT NULL,
    -- waiting, reading, read, none (nothing of this kind can be read), empty, no_reader, failed
    words TEXT NOT NULL,
    pages INTEGER NOT NULL,
    word_count INTEGER NOT NULL,
    -- More than is kept: only the beginning is found.
    is_cut BOOLEAN NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX file_readings_words ON file_readings (words);

-- Pictures of pages, from 1; 0 is the small one of the first.
CREATE TABLE file_previews (
    file_id TEXT NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    page INTEGER NOT NULL,
    blob TEXT NOT NULL UNIQUE REFERENCES blobs (name),
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    size BIGINT NOT NULL,
    PRIMARY KEY (file_id, page)
);

-- The words of a page, line by line.
CREATE TABLE file_texts (
    file_id TEXT NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    page INTEGER NOT NULL,
    -- document: it says so itself; scan: read from the picture; waiting, failed: to be read so, and not read
    source TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (file_id, page)
);
CREATE INDEX file_texts_waiting ON file_texts (file_id) WHERE source = 'waiting';

-- One photograph of a patient, and the small one of it.
ALTER TABLE patients ADD COLUMN photo TEXT REFERENCES blobs (name);
ALTER TABLE patients ADD COLUMN photo_small TEXT REFERENCES blobs (name);
CREATE INDEX patients_photo ON patients (photo) WHERE photo IS NOT NULL;
CREATE INDEX patients_photo_small ON patients (photo_small) WHERE photo_small IS NOT NULL;
