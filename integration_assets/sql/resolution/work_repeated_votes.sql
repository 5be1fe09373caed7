-- grain: one vote that does not count, as its voter's earlier vote for the same request does; key: row_no
-- inputs: resolved.counted_votes
-- The earliest stays (no time: last; then by id). A vote whose voter is gone counts by itself. Pairs of numbers with
-- more than one vote are found first: only theirs need an exact look.

WITH repeated AS (
    SELECT
        request_no,
        voter_no
    FROM resolved.counted_votes
    WHERE voter_no IS NOT NULL
    GROUP BY request_no, voter_no
    HAVING count(*) > 1
),

suspects AS (
    SELECT
        votes.rowid AS row_no,
        votes.*
    FROM resolved.counted_votes AS votes
    SEMI JOIN repeated ON votes.request_no = repeated.request_no AND votes.voter_no = repeated.voter_no
    UNION ALL
    SELECT
        votes.rowid AS row_no,
        votes.*
    FROM resolved.counted_votes AS votes
    -- whoever is known from votes alone has no number to group by, and is looked at by id
    WHERE votes.stranger_id IS NOT NULL
)

SELECT row_no
FROM suspects
QUALIFY row_number() OVER (
    -- votes with neither number nor id are in no part of `suspects`: who cast them is unknown, so each one counts
    PARTITION BY request_no, voter_no, stranger_id
    ORDER BY created_at ASC NULLS LAST, vote_id ASC
) > 1
