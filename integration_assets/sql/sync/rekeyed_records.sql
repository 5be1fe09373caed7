-- Live records of ours that carry another key than the one they were written with, or none: somebody changed it.
-- grain: one record; key: record_id
-- inputs: sync.ledger, raw.crm_feature_requests; variables key_prefixes, portal_id
-- written_key is null where the ledger does not know the record, which our marks alone then tell.
WITH latest AS (
    -- the newest write of each: a record that a person gave to another request is that one's since
    SELECT
        record_id,
        arg_max(lower(key), ledger_id) AS key,
        max(ledger_id) AS ledger_id
    FROM sync.ledger
    WHERE
        portal_id = getvariable('portal_id')
        AND action IN ('create', 'update', 'retire')
        AND outcome = 'verified'
        AND record_id IS NOT NULL
        AND list_contains(getvariable('key_prefixes'), regexp_extract(lower(key), '^[^:]*:'))
    GROUP BY record_id
),

written AS (
    SELECT
        key,
        arg_max(record_id, ledger_id) AS record_id
    FROM latest
    GROUP BY key
),

held AS (
    SELECT
        record_id,
        nullif(lower(key), '') AS key,
        property_values['managed_state'] AS managed_state,
        archived
    FROM raw.crm_feature_requests
)

SELECT
    held.record_id,
    written.key AS written_key,
    held.key AS key_now,
    held.managed_state
FROM held
LEFT JOIN written ON held.record_id = written.record_id
WHERE
    NOT held.archived
    AND (
        (
            held.key IS DISTINCT FROM written.key
            AND written.key IS NOT NULL
            -- a record that has the key by now is the request's own
            AND NOT EXISTS (
                SELECT 1 FROM held AS others
                WHERE others.key = written.key
            )
        )
        OR (written.key IS NULL AND held.key IS NULL AND coalesce(held.managed_state, '') <> '')
    )
ORDER BY written_key ASC NULLS LAST, held.record_id ASC
