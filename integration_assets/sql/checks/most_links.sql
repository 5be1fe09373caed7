-- Most companies, and most contacts, any one request would be linked to.
-- grain: one row
-- inputs: resolved.votes
WITH per_request AS (
    SELECT
        request_id,
        count(DISTINCT company_id) AS companies,
        -- every voter may turn out to be a contact: the most there can be
        count(DISTINCT voter_id) AS voters
    FROM resolved.votes
    GROUP BY request_id
)

SELECT
    coalesce(max(companies), 0) AS most_companies,
    coalesce(max(voters), 0) AS most_voters
FROM per_request
