DROP TABLE paperless_copies;
DROP TABLE paperless_connections;
