DROP TABLE import_staged;
DROP TABLE import_stages;
