-- Companies that voted and are neither customers nor prospects, by the stage the CRM gives them.
-- grain: one row
-- inputs: ranked.companies
WITH stages AS (
    SELECT
        lifecycle_stage,
        count(*) AS companies
    FROM ranked.companies
    WHERE lifecycle = 'unknown' AND lifecycle_stage IS NOT NULL
    GROUP BY lifecycle_stage
)

SELECT
    count(*) FILTER (WHERE lifecycle = 'unknown') AS unknown_companies,
    count(*) AS all_companies,
    count(*) FILTER (WHERE lifecycle = 'unknown' AND lifecycle_stage IS NULL) AS without_stage,
    coalesce(
        (SELECT list((lifecycle_stage, companies) ORDER BY companies DESC, lifecycle_stage ASC) FROM stages), []
    ) AS stages,
    coalesce(
        list_slice(
            list(coalesce(company_name, domain, company_id) ORDER BY arr DESC NULLS LAST, company_id ASC)
            FILTER (WHERE lifecycle = 'unknown'),
            1, 3
        ),
        []
    ) AS examples
FROM ranked.companies
