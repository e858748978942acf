DROP TABLE file_search_entries;
