-- What moderators did in a channel. Rows stay; one that bars a person stops barring when it is taken back.
CREATE TABLE moderation (
    number     INTEGER PRIMARY KEY,
    upstream   TEXT NOT NULL,
    channel    TEXT NOT NULL,
    person     TEXT NOT NULL,
    moderator  TEXT NOT NULL,
    action     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- It keeps the person from speaking: until then, or without an end.
    bars       INTEGER NOT NULL,
    until      INTEGER
) STRICT;

CREATE INDEX moderation_by_channel ON moderation (upstream, channel, number);
CREATE INDEX moderation_that_bars ON moderation (upstream, channel, person) WHERE bars = 1;
