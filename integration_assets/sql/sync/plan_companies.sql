-- Keep the ARR of every company that voted beside the plan, for the guard of a later run.
-- inputs: ranked.company_requests; variable plan_id
INSERT INTO sync.plan_companies
SELECT
    getvariable('plan_id') AS plan_id,
    company_id,
    any_value(arr) AS arr
FROM ranked.company_requests
GROUP BY company_id
