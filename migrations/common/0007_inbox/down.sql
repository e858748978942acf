DROP TABLE inbox_arrivals;
DROP TABLE inbox_filings;
ALTER TABLE files DROP COLUMN folded;
