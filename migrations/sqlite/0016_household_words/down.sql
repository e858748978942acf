DROP TABLE shelf_search_entries;
DROP TABLE shelf_search_words;
