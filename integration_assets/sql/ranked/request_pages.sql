-- Where people see the record of each request in the CRM.
-- grain: one request that has a record; key: request_id
-- inputs: ranked.feature_requests, raw.crm_feature_requests, raw.reads, sync.ledger, ops.crm_pages
-- $key_prefix: what is before the id of a request in the key of its record

WITH last_read AS (
    SELECT max(as_of) AS as_of
    FROM raw.reads
    WHERE input = 'crm_feature_requests'
),

written AS (
    SELECT
        ledger.key,
        -- a key has one record: the newest, should a person have deleted the one before
        max_by(ledger.record_id, ledger.ledger_id) AS record_id
    FROM sync.ledger AS ledger
    INNER JOIN ops.crm_pages AS pages ON ledger.portal_id = pages.portal_id
    CROSS JOIN last_read
    WHERE
        ledger.action = 'create'
        AND ledger.outcome = 'verified'
        AND ledger.record_id IS NOT NULL
        -- older ones were read, or are gone
        AND ledger.intent_at >= last_read.as_of
    GROUP BY ledger.key
),

records AS (
    SELECT
        key,
        record_id
    FROM written
    UNION ALL
    SELECT
        key,
        min(record_id) AS record_id
    FROM raw.crm_feature_requests
    WHERE NOT archived AND key NOT IN (SELECT written.key FROM written)
    GROUP BY key
)

SELECT
    requests.request_id,
    replace(pages.request_page, '{id}', records.record_id) AS crm_url
FROM ranked.feature_requests AS requests
INNER JOIN records ON lower($key_prefix || requests.request_id) = records.key
CROSS JOIN ops.crm_pages AS pages
-- ids that would have to be escaped in an address are nobody's
WHERE regexp_full_match(records.record_id, '[A-Za-z0-9_-]+')
