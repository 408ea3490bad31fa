-- Times are milliseconds since the Unix epoch, by the clock of the process that writes.

-- One row per identifier and purpose. `key` is a keyed digest: no address, and no code, is in here.
CREATE TABLE "{prefix}challenges" (
    key            TEXT    NOT NULL PRIMARY KEY,
    purpose        TEXT    NOT NULL,
    -- The live challenge; these four are NULL once it was verified or cancelled.
    id             BLOB,
    key_id         INTEGER,
    digest         BLOB,
    sealed         BLOB,
    attempts       INTEGER NOT NULL,
    max_attempts   INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    -- The last success. It stays when later codes are issued.
    verified_at    INTEGER,
    cooldown_until INTEGER,
    issue_count    INTEGER NOT NULL,
    issue_ends_at  INTEGER,
    verify_count   INTEGER NOT NULL,
    verify_ends_at INTEGER,
    failure_count  INTEGER NOT NULL,
    failure_ends_at INTEGER,
    purge_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX "{prefix}challenges_purge_at" ON "{prefix}challenges" (purge_at);

-- Values and counters. `number` is what a value reads as; `value` is NULL where it is just that number in figures.
CREATE TABLE "{prefix}entries" (
    key        TEXT    NOT NULL PRIMARY KEY,
    value      BLOB,
    number     INTEGER,
    version    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX "{prefix}entries_expires_at" ON "{prefix}entries" (expires_at);
