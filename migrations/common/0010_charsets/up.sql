-- The letters that the bytes of a text stand for: utf-8, utf-16le, utf-16be or windows-1252. NULL: no text, or not looked at yet.
ALTER TABLE files ADD COLUMN charset TEXT;
