-- resolved.company_votes: whose people voted for what, by number.
-- grain: one company and request; key: company_no, request_no
-- inputs: resolved.counted_votes, resolved.voters
-- The methods of a pair are collected as bits: millions of pairs, few sets of methods.

WITH methods AS (
    SELECT
        voter_no,
        company_no,
        CASE match_method
            WHEN 'account' THEN 1 WHEN 'contact' THEN 2 WHEN 'host' THEN 4 WHEN 'override' THEN 8 ELSE 16
        END AS bit
    FROM resolved.voters
    WHERE company_no IS NOT NULL
)

SELECT
    methods.company_no,
    votes.request_no,
    count(*) AS votes,
    min(votes.created_at) AS first_vote_at,
    max(votes.created_at) AS last_vote_at,
    bit_or(methods.bit) AS method_bits
FROM resolved.counted_votes AS votes
INNER JOIN methods ON votes.voter_no = methods.voter_no
GROUP BY methods.company_no, votes.request_no
