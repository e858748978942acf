DROP TABLE account_removals;
DROP TABLE account_notices;
DROP TABLE account_links;
