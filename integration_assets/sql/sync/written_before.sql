-- What the run wrote by the plan before this one, and this one finds as it should be: records and labels.
-- grain: one row
-- inputs: sync.ledger, sync.plan_operations, temp plan_records, temp wanted_links;
-- variables run_id, followed_plan_id, plan_id
WITH written AS (
    SELECT *
    FROM sync.ledger
    WHERE
        run_id = getvariable('run_id')
        AND plan_id = getvariable('followed_plan_id')
        AND outcome = 'verified'
),

changing AS (
    SELECT
        action,
        key,
        target,
        target_id
    FROM sync.plan_operations
    WHERE plan_id = getvariable('plan_id')
),

records AS (
    SELECT count(DISTINCT written.key) AS records
    FROM written
    INNER JOIN plan_records ON written.key = plan_records.key
    ANTI JOIN changing ON written.key = changing.key AND changing.target IS NULL
    WHERE written.action IN ('create', 'update')
),

labels AS (
    SELECT DISTINCT
        wanted.key,
        wanted.target,
        wanted.target_id,
        wanted.label
    FROM written
    INNER JOIN wanted_links AS wanted
        ON
            written.key = wanted.key
            AND written.target = wanted.target
            AND written.target_id = wanted.target_id
    ANTI JOIN changing
        ON
            written.key = changing.key
            AND written.target = changing.target
            AND written.target_id = changing.target_id
            AND changing.action = 'link'
    WHERE
        written.action = 'link'
        AND list_contains(written.after_labels, wanted.label)
        AND NOT list_contains(written.before_labels, wanted.label)
)

SELECT
    records.records,
    (SELECT count(*) FROM labels) AS labels
FROM records
