-- Why votes were not matched.
-- grain: one reason; key: reason
-- inputs: resolved.votes
SELECT
    reason,
    count(*) AS votes
FROM resolved.votes
WHERE company_id IS NULL
GROUP BY reason
ORDER BY votes DESC, reason ASC
