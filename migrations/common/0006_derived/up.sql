-- What is made of documents and photographs, and the lane that such work goes in.

-- A lane has a thread of its own, so that what takes minutes holds up nothing else.
ALTER TABLE jobs ADD COLUMN lane TEXT NOT NULL DEFAULT 'common';
DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (lane, run_at);
