-- Does a link open the documents of the records that it shows, too? Whoever makes it says so.
ALTER TABLE professional_links ADD COLUMN documents BOOLEAN NOT NULL DEFAULT FALSE;
