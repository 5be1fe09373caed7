-- grain: one number that several votes share; key: person_hash
-- inputs: raw.votes, resolved.request_survivors
-- Votes of one voter for one request share their number, others hardly ever: counting numbers is much cheaper than
-- sorting texts, and only these votes need an exact look.

SELECT hash(coalesce(merged.survivor_id, votes.request_id), coalesce(votes.voter_id, votes.vote_id)) AS person_hash
FROM raw.votes AS votes
LEFT JOIN resolved.request_survivors AS merged ON votes.request_id = merged.request_id
GROUP BY person_hash
HAVING count(*) > 1
