-- resolved.counted_votes: votes that count, by number of request and voter. resolved.votes says the same in ids.
-- grain: one vote, until work_repeated_votes are taken out; key: vote_id
-- inputs: raw.votes, work_request_ends, resolved.voters
-- Votes follow merges. voter_no is null when the voter is gone, or (stranger_id) known from this vote only.

SELECT
    votes.vote_id,
    ends.request_no,
    voters.voter_no,
    CASE WHEN voters.voter_no IS NULL THEN votes.voter_id END AS stranger_id,
    votes.created_at
FROM raw.votes AS votes
INNER JOIN work_request_ends AS ends ON votes.request_id = ends.request_id
-- a vote counts although its voter is gone
LEFT JOIN resolved.voters AS voters ON votes.voter_id = voters.voter_id
