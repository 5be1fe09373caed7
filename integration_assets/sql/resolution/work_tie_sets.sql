-- grain: one set of several companies that some evidence found; key: set_id, and company_ids
-- inputs: work_evidence, work_account_companies, work_internal_companies

WITH found AS (
    SELECT company_ids FROM work_evidence
    WHERE len(company_ids) > 1
    UNION
    SELECT company_ids FROM work_account_companies
    WHERE len(company_ids) > 1
    UNION
    SELECT company_ids FROM work_internal_companies
    WHERE len(company_ids) > 1
)

SELECT
    company_ids,
    row_number() OVER (ORDER BY company_ids) AS set_id
FROM found
