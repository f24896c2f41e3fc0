-- Messages that were sent and got no id from their upstream, until a list shows them.
CREATE TABLE provisional (
    id       TEXT PRIMARY KEY,
    upstream TEXT NOT NULL,
    channel  TEXT NOT NULL,
    author   TEXT NOT NULL,
    -- A hash of the text.
    print    TEXT NOT NULL,
    sent_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX provisional_by_time ON provisional (sent_at);
