-- For MariaDB and MySQL. Statements end with a line `//`. Each is run again where an earlier run did not come to its
-- end; a procedure that exists by then is the one that is meant.
--
-- Times are UTC; milliseconds everywhere, so that no remainder differs from the other stores.

-- One row per identifier and purpose. `key` is a keyed digest: no address, and no code, is in here.
CREATE TABLE IF NOT EXISTS `{prefix}challenges` (
    `key`           VARBINARY(255) NOT NULL PRIMARY KEY,
    purpose         VARCHAR(255) NOT NULL,
    -- The live challenge; these four are NULL once it was verified or cancelled.
    id              BINARY(16),
    key_id          BIGINT,
    digest          BINARY(32),
    sealed          MEDIUMBLOB,
    attempts        INT         NOT NULL,
    max_attempts    INT         NOT NULL,
    created_at      DATETIME(3) NOT NULL,
    expires_at      DATETIME(3) NOT NULL,
    -- The last success. It stays when later codes are issued.
    verified_at     DATETIME(3),
    cooldown_until  DATETIME(3),
    issue_count     INT         NOT NULL,
    issue_ends_at   DATETIME(3),
    verify_count    INT         NOT NULL,
    verify_ends_at  DATETIME(3),
    failure_count   INT         NOT NULL,
    failure_ends_at DATETIME(3),
    purge_at        DATETIME(3) NOT NULL,
    INDEX `{prefix}challenges_purge_at` (purge_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
//

-- Values and counters. `number` is what a value reads as; `value` is NULL where it is just that number in figures.
CREATE TABLE IF NOT EXISTS `{prefix}entries` (
    `key`      VARBINARY(255) NOT NULL PRIMARY KEY,
    `value`    MEDIUMBLOB,
    number     BIGINT,
    -- Drawn anew for every change, from UUID_SHORT() only: what is added to one may be drawn as the next.
    version    BIGINT      NOT NULL,
    expires_at DATETIME(3) NOT NULL,
    INDEX `{prefix}entries_expires_at` (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
//

-- What follows says the same as `Record` and `Hit` in Rust, in the same order. The number in a procedure's name is its
-- version: a change makes a new procedure, so that old and new processes run side by side.
--
-- Each is one transaction: it ends with its answer, or with an error and no trace. `t` is taken only when the row is
-- locked: waiting for the lock took time. Where there is no row yet, a spent one is inserted: a duplicate key waits for
-- the other's row and locks it for writing at once, where a plain insert would only share it, and deadlock.

CREATE PROCEDURE `{prefix}gate_1`(
    p_key VARBINARY(255), p_max BIGINT, p_window BIGINT, p_cost BIGINT,
    OUT allowed BOOLEAN, OUT remaining BIGINT, OUT resets_in BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE t, ends DATETIME(3);
    DECLARE used BIGINT;
    `find`: LOOP
        SELECT e.number, e.expires_at INTO used, ends FROM `{prefix}entries` e WHERE e.`key` = p_key FOR UPDATE;
        SET t = UTC_TIMESTAMP(3);
        IF ends IS NOT NULL OR p_cost > p_max THEN
            LEAVE `find`;
        END IF;
        INSERT INTO `{prefix}entries` (`key`, number, version, expires_at)
        VALUES (p_key, 0, UUID_SHORT() & 9223372036854775807, t) ON DUPLICATE KEY UPDATE version = version;
    END LOOP;
    IF ends > t THEN
        -- What is no number counts as full.
        SET used = IF(used BETWEEN 0 AND 4294967295, used, 4294967295);
    ELSE
        SET used = 0, ends = t + INTERVAL p_window * 1000 MICROSECOND;
    END IF;
    SET allowed = used + p_cost <= p_max;
    IF allowed THEN
        SET used = used + p_cost;
        UPDATE `{prefix}entries` e SET e.`value` = NULL, e.number = used, e.expires_at = ends,
            e.version = UUID_SHORT() & 9223372036854775807
        WHERE e.`key` = p_key;
    END IF;
    SET remaining = GREATEST(p_max - used, 0);
    SET resets_in = TIMESTAMPDIFF(MICROSECOND, t, ends) DIV 1000;
END
//

CREATE PROCEDURE `{prefix}hit_1`(p_key VARBINARY(255), p_max BIGINT, p_window BIGINT, p_cost BIGINT)
MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE allowed BOOLEAN;
    DECLARE remaining, resets_in BIGINT;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;
    CALL `{prefix}gate_1`(p_key, p_max, p_window, p_cost, allowed, remaining, resets_in);
    COMMIT;
    SELECT allowed, remaining, resets_in;
END
//

CREATE PROCEDURE `{prefix}issue_1`(
    p_key VARBINARY(255), p_purpose VARCHAR(255) CHARACTER SET utf8mb4,
    p_id BINARY(16), p_key_id BIGINT, p_digest BINARY(32), p_sealed MEDIUMBLOB,
    p_life BIGINT, p_max_attempts INT, p_cooldown BIGINT,
    p_issues BIGINT, p_issue_window BIGINT, p_failures BIGINT,
    p_keep BIGINT, -- Keep a challenge that lives at least so long; NULL: never.
    p_gate VARBINARY(255), p_gate_max BIGINT, p_gate_window BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE outcome VARCHAR(10) CHARACTER SET ascii;
    DECLARE wait, attempts_left, remaining BIGINT;
    DECLARE allowed BOOLEAN;
    DECLARE t, ends DATETIME(3);
    DECLARE counted, failed INT;
    DECLARE r_id BINARY(16);
    DECLARE r_sealed MEDIUMBLOB;
    DECLARE r_attempts, r_max_attempts, r_issues, r_verifies, r_failures INT;
    DECLARE r_expires_at, r_cooldown_until, r_issue_ends_at, r_verify_ends_at, r_failure_ends_at DATETIME(3);
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

    START TRANSACTION;
    body: BEGIN
        IF p_gate IS NOT NULL THEN
            CALL `{prefix}gate_1`(p_gate, p_gate_max, p_gate_window, 1, allowed, remaining, wait);
            IF NOT allowed THEN
                SET outcome = 'gated';
                LEAVE body;
            END IF;
        END IF;

        `find`: LOOP
            SELECT c.id, c.sealed, c.attempts, c.max_attempts, c.expires_at, c.cooldown_until, c.issue_count,
                c.issue_ends_at, c.verify_count, c.verify_ends_at, c.failure_count, c.failure_ends_at
            INTO r_id, r_sealed, r_attempts, r_max_attempts, r_expires_at, r_cooldown_until, r_issues,
                r_issue_ends_at, r_verifies, r_verify_ends_at, r_failures, r_failure_ends_at
            FROM `{prefix}challenges` c WHERE c.`key` = p_key FOR UPDATE;
            SET t = UTC_TIMESTAMP(3);
            IF r_expires_at IS NOT NULL THEN
                LEAVE `find`;
            END IF;
            -- A change to a row of somebody else, which nothing depends on, counts as two.
            INSERT INTO `{prefix}challenges` (
                `key`, purpose, id, key_id, digest, sealed, attempts, max_attempts, created_at, expires_at,
                cooldown_until, issue_count, issue_ends_at, verify_count, failure_count, purge_at
            ) VALUES (
                p_key, p_purpose, p_id, p_key_id, p_digest, p_sealed, 0, p_max_attempts, t,
                t + INTERVAL p_life * 1000 MICROSECOND, t + INTERVAL p_cooldown * 1000 MICROSECOND,
                p_issues > 0, IF(p_issues > 0, t + INTERVAL p_issue_window * 1000 MICROSECOND, NULL), 0, 0,
                t + INTERVAL (GREATEST(p_life, p_cooldown, p_issue_window) + 90000000) * 1000 MICROSECOND
            ) ON DUPLICATE KEY UPDATE purge_at = purge_at + INTERVAL 1000 MICROSECOND;
            IF ROW_COUNT() = 1 THEN
                SET outcome = 'new', attempts_left = LEAST(p_max_attempts, IF(p_failures > 0, p_failures, p_max_attempts));
                LEAVE body;
            END IF;
        END LOOP;

        SET outcome = CASE
            WHEN p_failures > 0 AND r_failures >= p_failures AND r_failure_ends_at > t THEN 'locked'
            WHEN p_issues > 0 AND r_issues >= p_issues AND r_issue_ends_at > t THEN 'limited'
            WHEN r_cooldown_until > t THEN 'cooldown'
            WHEN r_id IS NOT NULL AND r_expires_at >= t + INTERVAL p_keep * 1000 MICROSECOND
                AND r_attempts < r_max_attempts THEN 'kept'
            ELSE 'new'
        END;
        IF outcome NOT IN ('kept', 'new') THEN
            SET wait = TIMESTAMPDIFF(MICROSECOND, t, CASE outcome
                WHEN 'locked' THEN r_failure_ends_at WHEN 'limited' THEN r_issue_ends_at ELSE r_cooldown_until
            END) DIV 1000;
            LEAVE body;
        END IF;

        SET failed = IF(r_failure_ends_at > t, r_failures, 0), counted = r_issues, ends = r_issue_ends_at;
        -- A window that a refund emptied ends early, together with the last thing that mattered.
        IF counted = 0 AND ends > t AND (
            r_id IS NOT NULL AND r_expires_at > t OR r_cooldown_until > t
            OR r_verifies > 0 AND r_verify_ends_at > t OR r_failures > 0 AND r_failure_ends_at > t
        ) IS NOT TRUE THEN
            SET ends = NULL;
        END IF;
        IF p_issues > 0 THEN
            SET counted = IF(ends > t, LEAST(counted + 1, 65535), 1);
            SET ends = IF(ends > t, ends, t + INTERVAL p_issue_window * 1000 MICROSECOND);
        END IF;

        IF outcome = 'kept' THEN
            UPDATE `{prefix}challenges` c SET
                c.cooldown_until = t + INTERVAL p_cooldown * 1000 MICROSECOND,
                c.issue_count = counted, c.issue_ends_at = ends,
                c.purge_at = GREATEST(c.purge_at,
                    t + INTERVAL (GREATEST(p_cooldown, p_issue_window) + 86400000) * 1000 MICROSECOND)
            WHERE c.`key` = p_key;
            SET wait = TIMESTAMPDIFF(MICROSECOND, t, r_expires_at) DIV 1000;
            SET attempts_left = r_max_attempts - r_attempts;
        ELSE
            UPDATE `{prefix}challenges` c SET
                c.purpose = p_purpose, c.id = p_id, c.key_id = p_key_id, c.digest = p_digest, c.sealed = p_sealed,
                c.attempts = 0, c.max_attempts = p_max_attempts, c.created_at = t,
                c.expires_at = t + INTERVAL p_life * 1000 MICROSECOND,
                c.cooldown_until = t + INTERVAL p_cooldown * 1000 MICROSECOND,
                c.issue_count = counted, c.issue_ends_at = ends,
                c.purge_at = GREATEST(c.purge_at,
                    t + INTERVAL (GREATEST(p_life, p_cooldown, p_issue_window) + 86400000) * 1000 MICROSECOND)
            WHERE c.`key` = p_key;
            SET attempts_left = p_max_attempts;
        END IF;
        IF p_failures > 0 THEN
            SET attempts_left = LEAST(attempts_left, p_failures - failed);
        END IF;
    END;
    COMMIT;
    SELECT outcome, wait, attempts_left, IF(outcome = 'kept', r_id, NULL) AS kept_id,
        IF(outcome = 'kept', r_sealed, NULL) AS kept_sealed;
END
//

CREATE PROCEDURE `{prefix}attempt_1`(
    p_key VARBINARY(255), p_id BINARY(16),
    p_key_ids TEXT CHARACTER SET ascii, -- With commas between.
    p_digests BLOB, -- In the same order, 32 bytes each.
    p_verifies BIGINT, p_verify_window BIGINT, p_failures BIGINT, p_failure_window BIGINT,
    p_gate VARBINARY(255), p_gate_max BIGINT, p_gate_window BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE outcome VARCHAR(10) CHARACTER SET ascii;
    DECLARE wait, attempts_left, remaining, r_key_id BIGINT;
    DECLARE allowed BOOLEAN;
    DECLARE t DATETIME(3);
    DECLARE at_key INT;
    DECLARE r_id BINARY(16);
    DECLARE r_digest BINARY(32);
    DECLARE r_sealed MEDIUMBLOB;
    DECLARE r_attempts, r_max_attempts, r_verifies, r_failures INT;
    DECLARE r_expires_at, r_cooldown_until, r_verify_ends_at, r_failure_ends_at DATETIME(3);
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

    START TRANSACTION;
    body: BEGIN
        IF p_gate IS NOT NULL THEN
            CALL `{prefix}gate_1`(p_gate, p_gate_max, p_gate_window, 1, allowed, remaining, wait);
            IF NOT allowed THEN
                SET outcome = 'gated';
                LEAVE body;
            END IF;
        END IF;
        -- All NULL where there is none.
        SELECT c.id, c.key_id, c.digest, c.sealed, c.attempts, c.max_attempts, c.expires_at, c.cooldown_until,
            c.verify_count, c.verify_ends_at, c.failure_count, c.failure_ends_at
        INTO r_id, r_key_id, r_digest, r_sealed, r_attempts, r_max_attempts, r_expires_at, r_cooldown_until,
            r_verifies, r_verify_ends_at, r_failures, r_failure_ends_at
        FROM `{prefix}challenges` c WHERE c.`key` = p_key FOR UPDATE;
        SET t = UTC_TIMESTAMP(3), at_key = FIND_IN_SET(r_key_id, p_key_ids);

        SET outcome = CASE
            WHEN p_failures > 0 AND r_failures >= p_failures AND r_failure_ends_at > t THEN 'locked'
            WHEN (r_id IS NOT NULL AND r_expires_at > t) IS NOT TRUE THEN 'not_found'
            WHEN p_id <> r_id OR at_key = 0 THEN 'not_found'
            WHEN r_attempts >= r_max_attempts THEN 'spent'
            WHEN p_verifies > 0 AND r_verifies >= p_verifies AND r_verify_ends_at > t THEN 'limited'
            WHEN SUBSTRING(p_digests, at_key * 32 - 31, 32) = r_digest THEN 'right'
            ELSE 'wrong'
        END;
        IF outcome NOT IN ('right', 'wrong') THEN
            SET wait = CASE outcome
                WHEN 'locked' THEN TIMESTAMPDIFF(MICROSECOND, t, r_failure_ends_at) DIV 1000
                WHEN 'limited' THEN TIMESTAMPDIFF(MICROSECOND, t, r_verify_ends_at) DIV 1000
                WHEN 'spent' THEN TIMESTAMPDIFF(MICROSECOND, t, r_cooldown_until) DIV 1000
            END;
            LEAVE body;
        END IF;

        IF p_verifies > 0 THEN
            SET r_verifies = IF(r_verify_ends_at > t, LEAST(r_verifies + 1, 65535), 1);
            SET r_verify_ends_at = IF(r_verify_ends_at > t, r_verify_ends_at, t + INTERVAL p_verify_window * 1000 MICROSECOND);
        END IF;
        IF outcome = 'right' THEN
            UPDATE `{prefix}challenges` c SET
                c.id = NULL, c.key_id = NULL, c.digest = NULL, c.sealed = NULL, c.verified_at = t,
                c.cooldown_until = NULL, c.verify_count = r_verifies, c.verify_ends_at = r_verify_ends_at,
                c.failure_count = 0, c.failure_ends_at = NULL,
                c.purge_at = GREATEST(c.purge_at, t + INTERVAL (p_verify_window + 86400000) * 1000 MICROSECOND)
            WHERE c.`key` = p_key;
        ELSE
            SET r_attempts = r_attempts + 1, attempts_left = r_max_attempts - r_attempts;
            IF p_failures > 0 THEN
                SET r_failures = IF(r_failure_ends_at > t, LEAST(r_failures + 1, 65535), 1);
                SET r_failure_ends_at = IF(r_failure_ends_at > t, r_failure_ends_at, t + INTERVAL p_failure_window * 1000 MICROSECOND);
                SET attempts_left = LEAST(attempts_left, p_failures - r_failures);
            END IF;
            UPDATE `{prefix}challenges` c SET
                c.attempts = r_attempts, c.verify_count = r_verifies, c.verify_ends_at = r_verify_ends_at,
                c.failure_count = r_failures, c.failure_ends_at = r_failure_ends_at,
                c.purge_at = GREATEST(c.purge_at,
                    t + INTERVAL (GREATEST(p_verify_window, p_failure_window) + 86400000) * 1000 MICROSECOND)
            WHERE c.`key` = p_key;
        END IF;
    END;
    COMMIT;
    SELECT outcome, wait, attempts_left, IF(outcome = 'right', r_sealed, NULL) AS opened;
END
//

-- What follows are the primitives that MySQL has no single statement for.

CREATE PROCEDURE `{prefix}put_absent_1`(
    p_key VARBINARY(255), p_value MEDIUMBLOB, p_number BIGINT, p_ttl BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE t, ends DATETIME(3);
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;
    `find`: LOOP
        SELECT e.expires_at INTO ends FROM `{prefix}entries` e WHERE e.`key` = p_key FOR UPDATE;
        SET t = UTC_TIMESTAMP(3);
        IF ends IS NOT NULL THEN
            LEAVE `find`;
        END IF;
        INSERT INTO `{prefix}entries` (`key`, number, version, expires_at)
        VALUES (p_key, 0, UUID_SHORT() & 9223372036854775807, t) ON DUPLICATE KEY UPDATE version = version;
    END LOOP;
    IF ends <= t THEN
        UPDATE `{prefix}entries` e SET e.`value` = p_value, e.number = p_number, e.version = UUID_SHORT() & 9223372036854775807,
            e.expires_at = t + INTERVAL p_ttl * 1000 MICROSECOND
        WHERE e.`key` = p_key;
    END IF;
    COMMIT;
    SELECT ends <= t AS done;
END
//

CREATE PROCEDURE `{prefix}take_1`(p_key VARBINARY(255)) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE v_value MEDIUMBLOB;
    DECLARE v_number, v_version, rest BIGINT;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;
    SELECT e.`value`, e.number, e.version, TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), e.expires_at) DIV 1000
    INTO v_value, v_number, v_version, rest FROM `{prefix}entries` e WHERE e.`key` = p_key FOR UPDATE;
    -- What was not there to be locked may have come since: it is not ours to delete.
    DELETE FROM `{prefix}entries` WHERE `key` = p_key AND version = v_version;
    COMMIT;
    SELECT v_value AS `value`, v_number AS number, v_version AS version, rest FROM DUAL WHERE v_version IS NOT NULL;
END
//

-- What is no number counts as the greatest; sums stop at the ends of their range.
CREATE PROCEDURE `{prefix}count_1`(p_key VARBINARY(255), p_by BIGINT, p_ttl BIGINT) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE t, ends DATETIME(3);
    DECLARE total BIGINT;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;
    `find`: LOOP
        SELECT COALESCE(e.number, 9223372036854775807), e.expires_at INTO total, ends
        FROM `{prefix}entries` e WHERE e.`key` = p_key FOR UPDATE;
        SET t = UTC_TIMESTAMP(3);
        IF ends IS NOT NULL THEN
            LEAVE `find`;
        END IF;
        INSERT INTO `{prefix}entries` (`key`, number, version, expires_at)
        VALUES (p_key, 0, UUID_SHORT() & 9223372036854775807, t) ON DUPLICATE KEY UPDATE version = version;
    END LOOP;
    IF ends > t THEN
        SET total = GREATEST(-9223372036854775808, LEAST(9223372036854775807, CAST(total AS DECIMAL(20)) + p_by));
    ELSE
        SET total = p_by, ends = t + INTERVAL p_ttl * 1000 MICROSECOND;
    END IF;
    UPDATE `{prefix}entries` e SET e.`value` = NULL, e.number = total, e.expires_at = ends,
        e.version = UUID_SHORT() & 9223372036854775807
    WHERE e.`key` = p_key;
    COMMIT;
    SELECT total AS number, GREATEST(TIMESTAMPDIFF(MICROSECOND, t, ends) DIV 1000, 1) AS rest;
END
//

-- The keys are read first and locked one by one: a delete by the index would lock in another order than all the rest.
CREATE PROCEDURE `{prefix}purge_1`(p_limit BIGINT) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DECLARE t DATETIME(3) DEFAULT UTC_TIMESTAMP(3);
    DECLARE purged BIGINT;
    DECLARE rest BIGINT;
    DELETE c FROM `{prefix}challenges` c JOIN (
        SELECT o.`key` FROM `{prefix}challenges` o WHERE o.purge_at <= t ORDER BY o.purge_at LIMIT p_limit
    ) old ON c.`key` = old.`key` WHERE c.purge_at <= t;
    SET purged = ROW_COUNT(), rest = p_limit - purged;
    DELETE e FROM `{prefix}entries` e JOIN (
        SELECT o.`key` FROM `{prefix}entries` o WHERE o.expires_at <= t ORDER BY o.expires_at LIMIT rest
    ) old ON e.`key` = old.`key` WHERE e.expires_at <= t;
    SELECT purged + ROW_COUNT() AS purged;
END
//
