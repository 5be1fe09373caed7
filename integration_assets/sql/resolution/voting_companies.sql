-- resolved.voting_companies: every company that somebody's votes count for, numbered for this run: numbers join and
-- group many times faster than texts.
-- grain: one company; key: company_no, and company_id
-- inputs: work_voter_companies

SELECT
    row_number() OVER (ORDER BY company_id)::INTEGER AS company_no,
    company_id
FROM (
    SELECT DISTINCT company_id
    FROM work_voter_companies
    WHERE company_id IS NOT NULL
) AS voting
