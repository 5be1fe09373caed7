-- Domain fields of companies that match nobody, with the company's ARR and the votes that might be its people's.
-- grain: one problem of one company; key: reason, company_id, value
-- inputs: resolved.host_problems, resolved.company_arr, resolved.votes
WITH asking AS (
    SELECT
        unnest(candidate_company_ids) AS company_id,
        email_domain
    FROM resolved.votes
    -- of all domains with a problem, only personal ones name the companies their votes might belong to
    WHERE reason = 'personal_email'
),

votes AS (
    SELECT
        company_id,
        email_domain,
        count(*) AS votes
    FROM asking
    GROUP BY company_id, email_domain
)

SELECT
    problems.reason,
    problems.company_id,
    problems.value,
    arr.arr,
    coalesce(votes.votes, 0) AS votes
FROM resolved.host_problems AS problems
LEFT JOIN resolved.company_arr AS arr ON problems.company_id = arr.company_id
LEFT JOIN votes ON problems.company_id = votes.company_id AND problems.host = votes.email_domain
ORDER BY problems.reason ASC, votes.votes DESC NULLS LAST, arr.arr DESC NULLS LAST, problems.company_id ASC, value ASC
