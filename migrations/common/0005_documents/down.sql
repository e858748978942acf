DROP TABLE files;
DROP TABLE encryption_keys;
DROP TABLE blobs;
