-- grain: one voter whose accounts lead to companies; key: voter_id
-- inputs: raw.voter_accounts, work_account_companies

WITH pointed AS (
    SELECT
        memberships.voter_id,
        unnest(accounts.company_ids) AS company_id
    FROM raw.voter_accounts AS memberships
    INNER JOIN work_account_companies AS accounts ON memberships.account_id = accounts.account_id
)

SELECT
    voter_id,
    list(DISTINCT company_id ORDER BY company_id) AS company_ids
FROM pointed
GROUP BY voter_id
