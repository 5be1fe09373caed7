-- Votes whose voter is gone or has no e-mail address.
-- grain: one row
-- inputs: raw.votes, raw.voters; parameter 1: pattern of blank texts
SELECT
    count(*) AS total_rows,
    -- by the pattern, not `trim`: SQL does not take invisible characters for blank
    count(*) FILTER (regexp_full_match(coalesce(voters.email, ''), $1)) AS without_value
FROM raw.votes AS votes
LEFT JOIN raw.voters AS voters ON votes.voter_id = voters.voter_id
