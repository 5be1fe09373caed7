-- How votes were matched, or why they were not.
-- grain: one outcome; key: match_method, reason
-- inputs: resolved.votes
SELECT
    if(company_id IS NULL, NULL, match_method) AS match_method,
    if(company_id IS NULL, reason, NULL) AS reason,
    count(*) AS votes
FROM resolved.votes
GROUP BY ALL
ORDER BY votes DESC, match_method ASC, reason ASC
