DROP TABLE shelf_search_entries;
