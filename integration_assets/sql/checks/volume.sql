-- How much was read, beside what the last good run into the same portal read: like is compared with like.
-- grain: one input; key: asset
-- inputs: raw.feature_requests, raw.votes, raw.crm_companies, raw.crm_portals, sync.baselines
WITH base AS (
    SELECT
        baselines.requests_read,
        baselines.votes_read,
        baselines.companies
    FROM sync.baselines AS baselines
    -- another portal holds other companies: compared with its runs, any first read would look shrunken
    INNER JOIN raw.crm_portals AS portals ON baselines.portal_id = portals.portal_id AND portals.role = 'target'
    ORDER BY baselines.recorded_at DESC
    LIMIT 1
),

now_read AS (
    SELECT
        'raw_feature_requests' AS asset,
        count(*) AS total_rows
    FROM raw.feature_requests
    UNION ALL
    SELECT
        'raw_votes' AS asset,
        count(*) AS total_rows
    FROM raw.votes
    UNION ALL
    SELECT
        'raw_crm_companies' AS asset,
        count(*) AS total_rows
    FROM raw.crm_companies
)

SELECT
    now_read.asset,
    now_read.total_rows,
    CASE now_read.asset
        WHEN 'raw_feature_requests' THEN base.requests_read
        WHEN 'raw_votes' THEN base.votes_read
        ELSE base.companies
    END AS base_rows
FROM now_read
-- before the first good run there is nothing to compare with, and the rows are shown all the same
LEFT JOIN base ON TRUE
ORDER BY now_read.asset
