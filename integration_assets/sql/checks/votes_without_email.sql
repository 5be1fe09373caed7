-- Votes whose voter is gone or has no e-mail address.
-- grain: one row
-- inputs: raw.votes, raw.voters
SELECT
    count(*) AS total_rows,
    count(*) FILTER (trim(coalesce(voters.email, '')) = '') AS without_value
FROM raw.votes AS votes
LEFT JOIN raw.voters AS voters ON votes.voter_id = voters.voter_id
