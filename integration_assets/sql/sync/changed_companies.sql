-- How many companies have an ARR that differs between two plans, those that voted in only one of them included.
-- grain: one row
-- inputs: sync.plan_companies; variables plan_id, base_plan_id
WITH now AS (
    SELECT
        company_id,
        arr
    FROM sync.plan_companies
    WHERE plan_id = getvariable('plan_id')
),

base AS (
    SELECT
        company_id,
        arr
    FROM sync.plan_companies
    WHERE plan_id = getvariable('base_plan_id')
)

SELECT count(*) AS companies
FROM now
FULL JOIN base ON now.company_id = base.company_id
-- a company that one of the plans does not have counts as one without ARR there
WHERE coalesce(now.arr, 0) <> coalesce(base.arr, 0)
