-- Each wanted record beside what the CRM holds and what both sides had in common last.
-- grain: one key of our source, wanted or held; key: key, and row_number for paging
-- inputs: temp wanted_feature_requests, raw.crm_feature_requests, sync.field_bases; variables key_prefixes,
--         portal_id
WITH wanted AS (
    -- two ids that differ in case only would share a key
    SELECT
        *,
        count(*) OVER (PARTITION BY key) AS wanted_copies
    FROM wanted_feature_requests
    QUALIFY row_number() OVER (PARTITION BY key ORDER BY request_id) = 1
),

held AS (
    SELECT
        lower(key) AS key,
        count(*) FILTER (NOT archived) AS copies,
        count(*) FILTER (archived) AS archived_copies,
        -- with several copies none is written to, so that any of them will do here
        any_value(record_id) FILTER (NOT archived) AS record_id,
        any_value(property_values) FILTER (NOT archived) AS live_values
    FROM raw.crm_feature_requests
    WHERE list_contains(getvariable('key_prefixes'), regexp_extract(lower(key), '^[^:]*:'))
    GROUP BY lower(key)
),

bases AS (
    SELECT
        key,
        map_from_entries(list((field, value))) AS base_values,
        map_from_entries(list((field, state_digest))) AS base_digests
    FROM sync.field_bases
    WHERE portal_id = getvariable('portal_id')
    GROUP BY key
)

SELECT
    coalesce(wanted.key, held.key) AS key,
    wanted.key IS NOT NULL AS is_wanted,
    coalesce(wanted.wanted_copies, 0) AS wanted_copies,
    wanted.request_id,
    wanted.title,
    wanted.status,
    wanted.source_status,
    wanted.url,
    wanted.board,
    wanted.category,
    wanted.details,
    wanted.votes,
    wanted.companies,
    wanted.arr,
    wanted.voter_domains,
    wanted.requested_at,
    wanted.last_vote_at,
    wanted.source,
    coalesce(held.copies, 0) AS copies,
    coalesce(held.archived_copies, 0) AS archived_copies,
    held.record_id,
    held.live_values,
    bases.base_values,
    bases.base_digests,
    row_number() OVER (ORDER BY coalesce(wanted.key, held.key)) AS row_number
FROM wanted
FULL JOIN held ON wanted.key = held.key
LEFT JOIN bases ON bases.key = coalesce(wanted.key, held.key)
ORDER BY row_number
