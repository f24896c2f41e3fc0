-- What Sabir keeps. Times are microseconds since 1970-01-01T00:00:00Z. `record` columns hold versioned JSON
-- (src/store/record.rs); whatever is searched, sorted or joined stands in a column of its own.

CREATE TABLE channel (
    key        INTEGER PRIMARY KEY,
    upstream   TEXT NOT NULL,
    id         TEXT NOT NULL,
    created_at INTEGER,
    updated_at INTEGER,
    -- Messages that are not deleted, so that a page can say how many there are without counting.
    messages   INTEGER NOT NULL DEFAULT 0,
    record     TEXT NOT NULL,
    UNIQUE (upstream, id)
) STRICT;

-- Rows are never removed, only marked as deleted: so max(sequence) + 1 is an id that nobody ever had.
CREATE TABLE message (
    sequence   INTEGER PRIMARY KEY,
    channel    INTEGER NOT NULL REFERENCES channel (key),
    id         TEXT NOT NULL,
    client_ref TEXT,
    author     TEXT NOT NULL,
    session    TEXT NOT NULL,
    created_at INTEGER,
    edited_at  INTEGER,
    deleted    INTEGER NOT NULL DEFAULT 0,
    -- The text as `record::fold` leaves it, for searching.
    folded     TEXT NOT NULL,
    record     TEXT NOT NULL
) STRICT;

-- The id stands first, so that a message can be found when its channel is not known.
CREATE UNIQUE INDEX message_by_id ON message (id, channel);
CREATE UNIQUE INDEX message_by_ref ON message (channel, client_ref) WHERE client_ref IS NOT NULL;
-- Holds all that a list filters by: counting and skipping never touch the rows themselves.
CREATE INDEX message_by_channel ON message (channel, sequence, created_at, author, session, deleted) WHERE deleted = 0;

-- A person's own state of a message, or of a channel (message = '').
CREATE TABLE mark (
    upstream TEXT NOT NULL,
    channel  TEXT NOT NULL,
    message  TEXT NOT NULL,
    person   TEXT NOT NULL,
    kind     INTEGER NOT NULL,
    -- A channel that is marked as seen is seen up to this message.
    upto     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (upstream, channel, message, person, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE presence (
    upstream TEXT NOT NULL,
    person   TEXT NOT NULL,
    presence TEXT NOT NULL,
    PRIMARY KEY (upstream, person)
) STRICT, WITHOUT ROWID;

-- Every thing that a client was given an id of. Rows are never removed and numbers never used again.
CREATE TABLE native (
    number     INTEGER PRIMARY KEY,
    kind       INTEGER NOT NULL,
    upstream   TEXT NOT NULL,
    channel    TEXT NOT NULL,
    id         TEXT NOT NULL,
    created_at INTEGER,
    -- Found out later to be the thing that had a number already.
    same_as    INTEGER REFERENCES native (number)
) STRICT;

CREATE UNIQUE INDEX native_by_id ON native (id, channel, upstream, kind) WHERE same_as IS NULL;
CREATE INDEX native_by_time ON native (created_at) WHERE created_at IS NOT NULL;
CREATE INDEX native_by_same ON native (same_as) WHERE same_as IS NOT NULL;

CREATE TABLE session (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    account     TEXT NOT NULL,
    application TEXT NOT NULL,
    data        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX session_by_expiry ON session (expires_at) WHERE expires_at IS NOT NULL;

-- Idempotency keys.
CREATE TABLE journal (
    scope       TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    claimed_at  INTEGER NOT NULL,
    -- The Sabir that claimed it ended before it settled it.
    lost        INTEGER NOT NULL DEFAULT 0,
    outcome     BLOB,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX journal_by_time ON journal (claimed_at);
