-- resolved.company_survivors: the live company that every known company id stands for.
-- grain: one company id, live or merged away; key: company_id
-- inputs: raw.crm_companies, work_company_merges (merged id, live id at the end of the chain)

SELECT
    companies.company_id,
    companies.company_id AS survivor_id
FROM raw.crm_companies AS companies
WHERE
    -- a list read while two companies were merged may still hold the one that went
    NOT EXISTS (
        SELECT 1 FROM work_company_merges AS merged
        WHERE merged.merged_id = companies.company_id
    )
UNION ALL
SELECT
    merged_id AS company_id,
    survivor_id
FROM work_company_merges
