-- Who sent a message through Sabir, which makes it theirs to change where one credential speaks for all.
ALTER TABLE native ADD COLUMN sender TEXT NOT NULL DEFAULT '';
