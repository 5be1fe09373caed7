-- grain: one company and its parent, both as what they live on in; key: company_id, parent_id
-- inputs: raw.crm_companies, resolved.company_survivors
-- A company that is its own parent stays in: comparing the two here would tempt the planner to join by the inequality.

SELECT DISTINCT
    child.survivor_id AS company_id,
    parent.survivor_id AS parent_id
FROM raw.crm_companies AS companies
INNER JOIN resolved.company_survivors AS child ON companies.company_id = child.company_id
INNER JOIN resolved.company_survivors AS parent ON companies.parent_id = parent.company_id
