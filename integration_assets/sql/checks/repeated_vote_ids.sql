-- Vote ids that appear more than once.
-- grain: one repeated id; key: repeated
-- inputs: raw.votes
SELECT
    vote_id AS repeated,
    count(*) AS times
FROM raw.votes
GROUP BY vote_id
HAVING count(*) > 1
ORDER BY repeated
