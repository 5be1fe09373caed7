-- How much of each input a run quarantined while reading and resolving.
-- grain: one kind of record of one stage; key: stage, kind
-- inputs: sync.quarantine, the raw tables; parameter 1: run id
WITH quarantined AS (
    SELECT
        stage,
        kind,
        count(DISTINCT key) AS quarantined
    FROM sync.quarantine
    WHERE run_id = $1
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
    ) AS figures
)

SELECT
    quarantined.stage,
    quarantined.kind,
    quarantined.quarantined,
    coalesce(usable.usable, 0) AS usable
FROM quarantined
LEFT JOIN usable ON quarantined.kind = usable.kind
ORDER BY quarantined.stage, quarantined.kind
