ALTER TABLE professional_links DROP COLUMN documents;
