-- Company ids that appear more than once.
-- grain: one repeated id; key: repeated
-- inputs: raw.crm_companies
SELECT
    company_id AS repeated,
    count(*) AS times
FROM raw.crm_companies
GROUP BY company_id
HAVING count(*) > 1
ORDER BY repeated
