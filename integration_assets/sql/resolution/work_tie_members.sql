-- grain: one company of one set; key: set_id, company_id
-- inputs: work_tie_sets

SELECT
    set_id,
    len(company_ids) AS companies,
    unnest(company_ids) AS company_id
FROM work_tie_sets
