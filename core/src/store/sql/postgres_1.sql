-- One row per identifier and purpose. `key` is a keyed digest: no address, and no code, is in here.
CREATE TABLE {schema}."{prefix}challenges" (
    key             text COLLATE "C" NOT NULL PRIMARY KEY,
    purpose         text        NOT NULL,
    -- The live challenge; these four are NULL once it was verified or cancelled.
    id              bytea,
    key_id          bigint,
    digest          bytea,
    sealed          bytea,
    attempts        integer     NOT NULL,
    max_attempts    integer     NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    -- The last success. It stays when later codes are issued.
    verified_at     timestamptz,
    cooldown_until  timestamptz,
    issue_count     integer     NOT NULL,
    issue_ends_at   timestamptz,
    verify_count    integer     NOT NULL,
    verify_ends_at  timestamptz,
    failure_count   integer     NOT NULL,
    failure_ends_at timestamptz,
    purge_at        timestamptz NOT NULL
) WITH (fillfactor = 50); -- Every row is updated soon; room on its page keeps the indexes out of it.

CREATE INDEX "{prefix}challenges_purge_at" ON {schema}."{prefix}challenges" (purge_at);

-- Values and counters. `number` is what a value reads as; `value` is NULL where it is just that number in figures.
CREATE TABLE {schema}."{prefix}entries" (
    key        text COLLATE "C" NOT NULL PRIMARY KEY,
    value      bytea,
    number     bigint,
    version    bigint      NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE INDEX "{prefix}entries_expires_at" ON {schema}."{prefix}entries" (expires_at);

-- What follows says the same as `Record` and `Hit` in Rust, in the same order. The number in a function's name is its
-- version: a change makes a new function, so that old and new processes run side by side.
--
-- `t` is the time in whole milliseconds, so that no remainder differs from the other stores.

CREATE FUNCTION {schema}."{prefix}hit_1"(
    p_key text, p_max bigint, p_window interval, p_cost bigint,
    OUT allowed boolean, OUT remaining bigint, OUT resets_in interval
) LANGUAGE plpgsql AS $oncecode$
DECLARE
    t timestamptz := date_trunc('milliseconds', clock_timestamp());
    used bigint := 0;
    ends timestamptz;
BEGIN
    IF p_cost <= p_max THEN
        INSERT INTO {schema}."{prefix}entries" AS e (key, number, version, expires_at)
        VALUES (p_key, p_cost, (random() * 1e18)::bigint, t + p_window)
        ON CONFLICT (key) DO UPDATE SET
            value = NULL,
            number = p_cost + CASE WHEN e.expires_at > t THEN e.number ELSE 0 END,
            version = e.version + 1,
            expires_at = CASE WHEN e.expires_at > t THEN e.expires_at ELSE t + p_window END
        WHERE e.expires_at <= t OR e.number BETWEEN 0 AND p_max - p_cost
        RETURNING e.number, e.expires_at INTO used, ends;
        IF FOUND THEN
            allowed := true;
            remaining := p_max - used;
            resets_in := ends - t;
            RETURN;
        END IF;
    END IF;
    -- What is no number counts as full.
    SELECT CASE WHEN e.number >= 0 THEN e.number ELSE p_max END, e.expires_at INTO used, ends
    FROM {schema}."{prefix}entries" e WHERE e.key = p_key AND e.expires_at > t;
    allowed := false;
    remaining := greatest(p_max - coalesce(used, 0), 0);
    resets_in := coalesce(ends - t, p_window);
END
$oncecode$;

CREATE FUNCTION {schema}."{prefix}issue_1"(
    p_key text, p_purpose text, p_id bytea, p_key_id bigint, p_digest bytea, p_sealed bytea,
    p_life interval, p_max_attempts integer, p_cooldown interval,
    p_issues bigint, p_issue_window interval, p_failures bigint,
    p_keep interval, -- Keep a challenge that lives at least so long; NULL: never.
    p_gate text, p_gate_max bigint, p_gate_window interval,
    OUT outcome text, OUT wait interval, OUT attempts_left bigint, OUT kept_id bytea, OUT kept_sealed bytea
) LANGUAGE plpgsql AS $oncecode$
DECLARE
    gate record;
    r {schema}."{prefix}challenges"%ROWTYPE;
    t timestamptz;
    failed integer;
    ends timestamptz;
BEGIN
    IF p_gate IS NOT NULL THEN
        gate := {schema}."{prefix}hit_1"(p_gate, p_gate_max, p_gate_window, 1);
        IF NOT gate.allowed THEN
            outcome := 'gated'; wait := gate.resets_in; RETURN;
        END IF;
    END IF;
    LOOP
        SELECT * INTO r FROM {schema}."{prefix}challenges" c WHERE c.key = p_key FOR NO KEY UPDATE;
        -- Only now: waiting for the lock took time.
        t := date_trunc('milliseconds', clock_timestamp());
        EXIT WHEN FOUND;
        ends := CASE WHEN p_issues > 0 THEN t + p_issue_window END;
        INSERT INTO {schema}."{prefix}challenges" (
            key, purpose, id, key_id, digest, sealed, attempts, max_attempts, created_at, expires_at, cooldown_until,
            issue_count, issue_ends_at, verify_count, failure_count, purge_at
        ) VALUES (
            p_key, p_purpose, p_id, p_key_id, p_digest, p_sealed, 0, p_max_attempts, t, t + p_life, t + p_cooldown,
            CASE WHEN p_issues > 0 THEN 1 ELSE 0 END, ends, 0, 0,
            greatest(t + p_life, t + p_cooldown, ends) + interval '25 hours'
        ) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            outcome := 'new';
            attempts_left := least(p_max_attempts, nullif(p_failures, 0));
            RETURN;
        END IF;
    END LOOP;

    failed := CASE WHEN r.failure_ends_at > t THEN r.failure_count ELSE 0 END;
    IF failed >= p_failures AND p_failures > 0 THEN
        outcome := 'locked'; wait := r.failure_ends_at - t; RETURN;
    END IF;
    IF p_issues > 0 AND r.issue_ends_at > t AND r.issue_count >= p_issues THEN
        outcome := 'limited'; wait := r.issue_ends_at - t; RETURN;
    END IF;
    IF r.cooldown_until > t THEN
        outcome := 'cooldown'; wait := r.cooldown_until - t; RETURN;
    END IF;

    -- A window that a refund emptied ends early, together with the last thing that mattered.
    IF r.issue_count = 0 AND r.issue_ends_at > t AND greatest(
        CASE WHEN r.id IS NOT NULL THEN r.expires_at END, r.cooldown_until,
        CASE WHEN r.verify_count > 0 THEN r.verify_ends_at END,
        CASE WHEN r.failure_count > 0 THEN r.failure_ends_at END
    ) > t IS NOT TRUE THEN
        r.issue_ends_at := NULL;
    END IF;
    IF p_issues > 0 THEN
        IF r.issue_ends_at > t THEN
            r.issue_count := least(r.issue_count + 1, 65535);
        ELSE
            r.issue_count := 1;
            r.issue_ends_at := t + p_issue_window;
        END IF;
    END IF;
    ends := greatest(r.expires_at, t + p_life, t + p_cooldown, r.issue_ends_at, r.verify_ends_at, r.failure_ends_at);
    -- Moved in steps of an hour: an update that leaves the index alone is cheaper.
    IF r.purge_at < ends + interval '24 hours' THEN
        r.purge_at := ends + interval '25 hours';
    END IF;

    IF r.id IS NOT NULL AND r.expires_at >= t + p_keep AND r.attempts < r.max_attempts THEN
        UPDATE {schema}."{prefix}challenges" c SET
            cooldown_until = t + p_cooldown, issue_count = r.issue_count, issue_ends_at = r.issue_ends_at,
            purge_at = r.purge_at
        WHERE c.key = p_key;
        outcome := 'kept';
        wait := r.expires_at - t;
        attempts_left := least(r.max_attempts - r.attempts, nullif(p_failures, 0) - failed);
        kept_id := r.id;
        kept_sealed := r.sealed;
        RETURN;
    END IF;
    UPDATE {schema}."{prefix}challenges" c SET
        purpose = p_purpose, id = p_id, key_id = p_key_id, digest = p_digest, sealed = p_sealed,
        attempts = 0, max_attempts = p_max_attempts, created_at = t, expires_at = t + p_life,
        cooldown_until = t + p_cooldown, issue_count = r.issue_count, issue_ends_at = r.issue_ends_at,
        purge_at = r.purge_at
    WHERE c.key = p_key;
    outcome := 'new';
    attempts_left := least(p_max_attempts, nullif(p_failures, 0) - failed);
END
$oncecode$;

CREATE FUNCTION {schema}."{prefix}attempt_1"(
    p_key text, p_id bytea, p_key_ids bigint[], p_digests bytea[],
    p_verifies bigint, p_verify_window interval, p_failures bigint, p_failure_window interval,
    p_gate text, p_gate_max bigint, p_gate_window interval,
    OUT outcome text, OUT wait interval, OUT attempts_left bigint, OUT opened bytea
) LANGUAGE plpgsql AS $oncecode$
DECLARE
    gate record;
    r {schema}."{prefix}challenges"%ROWTYPE;
    t timestamptz;
    failed integer;
    candidate bytea;
BEGIN
    IF p_gate IS NOT NULL THEN
        gate := {schema}."{prefix}hit_1"(p_gate, p_gate_max, p_gate_window, 1);
        IF NOT gate.allowed THEN
            outcome := 'gated'; wait := gate.resets_in; RETURN;
        END IF;
    END IF;
    SELECT * INTO r FROM {schema}."{prefix}challenges" c WHERE c.key = p_key FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found'; RETURN;
    END IF;
    -- Only now: waiting for the lock took time.
    t := date_trunc('milliseconds', clock_timestamp());

    failed := CASE WHEN r.failure_ends_at > t THEN r.failure_count ELSE 0 END;
    IF failed >= p_failures AND p_failures > 0 THEN
        outcome := 'locked'; wait := r.failure_ends_at - t; RETURN;
    END IF;
    candidate := p_digests[array_position(p_key_ids, r.key_id)];
    IF r.id IS NULL OR r.expires_at <= t OR p_id <> r.id OR candidate IS NULL THEN
        outcome := 'not_found'; RETURN;
    END IF;
    IF r.attempts >= r.max_attempts THEN
        outcome := 'spent'; wait := greatest(r.cooldown_until - t, interval '0'); RETURN;
    END IF;
    IF p_verifies > 0 THEN
        IF r.verify_ends_at > t AND r.verify_count >= p_verifies THEN
            outcome := 'limited'; wait := r.verify_ends_at - t; RETURN;
        ELSIF r.verify_ends_at > t THEN
            r.verify_count := least(r.verify_count + 1, 65535);
        ELSE
            r.verify_count := 1;
            r.verify_ends_at := t + p_verify_window;
        END IF;
    END IF;

    IF candidate = r.digest THEN
        IF r.purge_at < r.verify_ends_at + interval '24 hours' THEN
            r.purge_at := r.verify_ends_at + interval '25 hours';
        END IF;
        UPDATE {schema}."{prefix}challenges" c SET
            id = NULL, key_id = NULL, digest = NULL, sealed = NULL, verified_at = t, cooldown_until = NULL,
            verify_count = r.verify_count, verify_ends_at = r.verify_ends_at,
            failure_count = 0, failure_ends_at = NULL, purge_at = r.purge_at
        WHERE c.key = p_key;
        outcome := 'right';
        opened := r.sealed;
        RETURN;
    END IF;

    IF p_failures > 0 THEN
        failed := least(failed + 1, 65535);
        IF r.failure_ends_at > t IS NOT TRUE THEN
            r.failure_ends_at := t + p_failure_window;
        END IF;
        r.failure_count := failed;
    END IF;
    IF r.purge_at < greatest(r.verify_ends_at, r.failure_ends_at) + interval '24 hours' THEN
        r.purge_at := greatest(r.verify_ends_at, r.failure_ends_at) + interval '25 hours';
    END IF;
    UPDATE {schema}."{prefix}challenges" c SET
        attempts = r.attempts + 1, verify_count = r.verify_count, verify_ends_at = r.verify_ends_at,
        failure_count = r.failure_count, failure_ends_at = r.failure_ends_at, purge_at = r.purge_at
    WHERE c.key = p_key;
    outcome := 'wrong';
    attempts_left := least(r.max_attempts - r.attempts - 1, nullif(p_failures, 0) - failed);
END
$oncecode$;
