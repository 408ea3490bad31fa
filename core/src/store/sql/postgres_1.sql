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
    r record;
    t timestamptz;
    failed integer;
    ends timestamptz;
    counted integer;
BEGIN
    IF p_gate IS NOT NULL THEN
        gate := {schema}."{prefix}hit_1"(p_gate, p_gate_max, p_gate_window, 1);
        IF NOT gate.allowed THEN
            outcome := 'gated'; wait := gate.resets_in; RETURN;
        END IF;
    END IF;

    LOOP
        t := date_trunc('milliseconds', clock_timestamp());
        INSERT INTO {schema}."{prefix}challenges" (
            key, purpose, id, key_id, digest, sealed, attempts, max_attempts, created_at, expires_at, cooldown_until,
            issue_count, issue_ends_at, verify_count, failure_count, purge_at
        ) VALUES (
            p_key, p_purpose, p_id, p_key_id, p_digest, p_sealed, 0, p_max_attempts, t, t + p_life, t + p_cooldown,
            CASE WHEN p_issues > 0 THEN 1 ELSE 0 END, CASE WHEN p_issues > 0 THEN t + p_issue_window END, 0, 0,
            t + greatest(p_life, p_cooldown, p_issue_window) + interval '25 hours'
        ) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            outcome := 'new'; attempts_left := least(p_max_attempts, nullif(p_failures, 0)); RETURN;
        END IF;
        SELECT c.id, c.sealed, c.attempts, c.max_attempts, c.expires_at, c.cooldown_until, c.issue_count, c.issue_ends_at,
            c.verify_count, c.verify_ends_at, c.failure_count, c.failure_ends_at
        INTO r FROM {schema}."{prefix}challenges" c WHERE c.key = p_key FOR NO KEY UPDATE;
        -- Unless it was purged in between.
        EXIT WHEN FOUND;
    END LOOP;
    -- Anew: waiting for the lock took time.
    t := date_trunc('milliseconds', clock_timestamp());

    outcome := CASE
        WHEN p_failures > 0 AND r.failure_count >= p_failures AND r.failure_ends_at > t THEN 'locked'
        WHEN p_issues > 0 AND r.issue_count >= p_issues AND r.issue_ends_at > t THEN 'limited'
        WHEN r.cooldown_until > t THEN 'cooldown'
        WHEN r.id IS NOT NULL AND r.expires_at >= t + p_keep AND r.attempts < r.max_attempts THEN 'kept'
        ELSE 'new'
    END;
    IF outcome NOT IN ('kept', 'new') THEN
        wait := CASE outcome
            WHEN 'locked' THEN r.failure_ends_at WHEN 'limited' THEN r.issue_ends_at ELSE r.cooldown_until
        END - t;
        RETURN;
    END IF;

    failed := CASE WHEN r.failure_ends_at > t THEN r.failure_count ELSE 0 END;
    counted := r.issue_count;
    ends := r.issue_ends_at;
    -- A window that a refund emptied ends early, together with the last thing that mattered.
    IF counted = 0 AND ends > t AND greatest(
        CASE WHEN r.id IS NOT NULL THEN r.expires_at END, r.cooldown_until,
        CASE WHEN r.verify_count > 0 THEN r.verify_ends_at END,
        CASE WHEN r.failure_count > 0 THEN r.failure_ends_at END
    ) > t IS NOT TRUE THEN
        ends := NULL;
    END IF;
    IF p_issues > 0 THEN
        counted := CASE WHEN ends > t THEN least(counted + 1, 65535) ELSE 1 END;
        ends := CASE WHEN ends > t THEN ends ELSE t + p_issue_window END;
    END IF;

    IF outcome = 'kept' THEN
        UPDATE {schema}."{prefix}challenges" c SET
            cooldown_until = t + p_cooldown, issue_count = counted, issue_ends_at = ends,
            purge_at = greatest(c.purge_at, t + greatest(p_cooldown, p_issue_window) + interval '24 hours')
        WHERE c.key = p_key;
        wait := r.expires_at - t;
        attempts_left := least(r.max_attempts - r.attempts, nullif(p_failures, 0) - failed);
        kept_id := r.id;
        kept_sealed := r.sealed;
        RETURN;
    END IF;
    UPDATE {schema}."{prefix}challenges" c SET
        purpose = p_purpose, id = p_id, key_id = p_key_id, digest = p_digest, sealed = p_sealed,
        attempts = 0, max_attempts = p_max_attempts, created_at = t, expires_at = t + p_life,
        cooldown_until = t + p_cooldown, issue_count = counted, issue_ends_at = ends,
        purge_at = greatest(c.purge_at, t + greatest(p_life, p_cooldown, p_issue_window) + interval '24 hours')
    WHERE c.key = p_key;
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
    r record;
    t timestamptz;
BEGIN
    IF p_gate IS NOT NULL THEN
        gate := {schema}."{prefix}hit_1"(p_gate, p_gate_max, p_gate_window, 1);
        IF NOT gate.allowed THEN
            outcome := 'gated'; wait := gate.resets_in; RETURN;
        END IF;
    END IF;
    -- All NULL where there is none.
    SELECT c.id, c.key_id, c.digest, c.sealed, c.attempts, c.max_attempts, c.expires_at, c.cooldown_until,
        c.verify_count, c.verify_ends_at, c.failure_count, c.failure_ends_at
    INTO r FROM {schema}."{prefix}challenges" c WHERE c.key = p_key FOR NO KEY UPDATE;
    -- Only now: waiting for the lock took time.
    t := date_trunc('milliseconds', clock_timestamp());

    outcome := CASE
        WHEN p_failures > 0 AND r.failure_count >= p_failures AND r.failure_ends_at > t THEN 'locked'
        WHEN (r.id IS NOT NULL AND r.expires_at > t) IS NOT TRUE THEN 'not_found'
        WHEN p_id <> r.id OR NOT r.key_id = ANY (p_key_ids) THEN 'not_found'
        WHEN r.attempts >= r.max_attempts THEN 'spent'
        WHEN p_verifies > 0 AND r.verify_count >= p_verifies AND r.verify_ends_at > t THEN 'limited'
        WHEN p_digests[array_position(p_key_ids, r.key_id)] = r.digest THEN 'right'
        ELSE 'wrong'
    END;
    IF outcome = 'right' THEN
        UPDATE {schema}."{prefix}challenges" c SET
            id = NULL, key_id = NULL, digest = NULL, sealed = NULL, verified_at = t, cooldown_until = NULL,
            verify_count = CASE WHEN p_verifies = 0 THEN c.verify_count WHEN c.verify_ends_at > t THEN least(c.verify_count + 1, 65535) ELSE 1 END,
            verify_ends_at = CASE WHEN p_verifies = 0 OR c.verify_ends_at > t THEN c.verify_ends_at ELSE t + p_verify_window END,
            failure_count = 0, failure_ends_at = NULL,
            purge_at = greatest(c.purge_at, t + p_verify_window + interval '24 hours')
        WHERE c.key = p_key;
        opened := r.sealed;
    ELSIF outcome = 'wrong' THEN
        UPDATE {schema}."{prefix}challenges" c SET
            attempts = c.attempts + 1,
            verify_count = CASE WHEN p_verifies = 0 THEN c.verify_count WHEN c.verify_ends_at > t THEN least(c.verify_count + 1, 65535) ELSE 1 END,
            verify_ends_at = CASE WHEN p_verifies = 0 OR c.verify_ends_at > t THEN c.verify_ends_at ELSE t + p_verify_window END,
            failure_count = CASE WHEN p_failures = 0 THEN c.failure_count WHEN c.failure_ends_at > t THEN least(c.failure_count + 1, 65535) ELSE 1 END,
            failure_ends_at = CASE WHEN p_failures = 0 OR c.failure_ends_at > t THEN c.failure_ends_at ELSE t + p_failure_window END,
            purge_at = greatest(c.purge_at, t + greatest(p_verify_window, p_failure_window) + interval '24 hours')
        WHERE c.key = p_key
        RETURNING least(c.max_attempts - c.attempts, nullif(p_failures, 0) - c.failure_count) INTO attempts_left;
    ELSE
        wait := CASE outcome
            WHEN 'locked' THEN r.failure_ends_at - t
            WHEN 'limited' THEN r.verify_ends_at - t
            WHEN 'spent' THEN greatest(r.cooldown_until - t, interval '0')
        END;
    END IF;
END
$oncecode$;
