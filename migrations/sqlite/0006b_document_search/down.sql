DROP TABLE file_search_entries;
DROP TABLE file_search_words;
