-- How much of each input a run quarantined while reading and resolving, and how much there was.
-- grain: one kind of record of one stage; key: stage, kind
-- inputs: sync.quarantine, the raw tables; parameters 1 and 2: run id, reason of a vote on a request without id
WITH quarantined AS (
    SELECT
        stage,
        kind,
        count(DISTINCT key) AS quarantined
    FROM sync.quarantine
    WHERE
        run_id = $1
        -- such a vote is not unusable where the request itself was met: the request is what is quarantined
        AND NOT (
            kind = 'vote' AND reason = $2 AND EXISTS (
                SELECT 1 FROM sync.quarantine AS met
                WHERE met.run_id = $1 AND met.kind = 'feature_request' AND met.key LIKE '% without id'
            )
        )
    GROUP BY stage, kind
),

usable AS (
    SELECT
        'board' AS kind,
        count(*) AS usable
    FROM raw.boards
    UNION ALL
    SELECT
        'feature_request' AS kind,
        count(*) AS usable
    FROM raw.feature_requests
    UNION ALL
    SELECT
        'status_change' AS kind,
        count(*) AS usable
    FROM raw.status_changes
    UNION ALL
    SELECT
        'vote' AS kind,
        count(*) AS usable
    FROM raw.votes
    UNION ALL
    SELECT
        'voter' AS kind,
        count(*) AS usable
    FROM raw.voters
    UNION ALL
    SELECT
        'membership' AS kind,
        count(*) AS usable
    FROM raw.voter_accounts
    UNION ALL
    SELECT
        'account' AS kind,
        count(*) AS usable
    FROM raw.accounts
    UNION ALL
    SELECT
        'company' AS kind,
        count(*) AS usable
    FROM raw.crm_companies
    UNION ALL
    SELECT
        'contact' AS kind,
        count(*) AS usable
    FROM raw.crm_contacts
    UNION ALL
    SELECT
        'crm_feature_request' AS kind,
        count(*) AS usable
    FROM raw.crm_feature_requests
    UNION ALL
    SELECT
        'link' AS kind,
        count(*) AS usable
    FROM raw.crm_links
    UNION ALL
    SELECT
        'internal_account' AS kind,
        count(*) AS usable
    FROM raw.internal_accounts
    UNION ALL
    SELECT
        'arr' AS kind,
        count(figures.arr) AS usable
    FROM (
        SELECT arr FROM raw.crm_companies
        UNION ALL
        SELECT monthly_spend FROM raw.accounts
        UNION ALL
        SELECT arr FROM raw.internal_accounts
    ) AS figures
)

SELECT
    quarantined.stage,
    quarantined.kind,
    quarantined.quarantined,
    -- what resolution could not use stands in the raw tables all the same
    CASE
        WHEN quarantined.stage = 'domain_resolved_votes' THEN usable.usable
        ELSE coalesce(usable.usable, 0) + quarantined.quarantined
    END AS seen
FROM quarantined
LEFT JOIN usable ON quarantined.kind = usable.kind
ORDER BY quarantined.stage, quarantined.kind
