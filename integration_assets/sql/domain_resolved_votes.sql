-- resolved.votes, asset domain_resolved_votes: the company of every counted vote, or why there is none.
-- grain: one counted vote; key: vote_id
-- inputs: raw.votes, raw.feature_requests, resolved.request_survivors, work_suspects, work_voter_companies
-- Votes follow merges; of one voter's votes for one request the earliest stays (no time: last; then by id). A vote
-- whose voter is gone counts by itself.

WITH followed AS NOT MATERIALIZED (
    SELECT
        votes.vote_id,
        coalesce(merged.survivor_id, votes.request_id) AS request_id,
        votes.voter_id,
        votes.created_at,
        hash(coalesce(merged.survivor_id, votes.request_id), coalesce(votes.voter_id, votes.vote_id)) AS person_hash
    FROM raw.votes AS votes
    LEFT JOIN resolved.request_survivors AS merged ON votes.request_id = merged.request_id
),

counted AS (
    SELECT
        vote_id,
        request_id,
        voter_id,
        created_at
    FROM followed
    ANTI JOIN work_suspects ON followed.person_hash = work_suspects.person_hash
    UNION ALL
    SELECT
        vote_id,
        request_id,
        voter_id,
        created_at
    FROM followed
    SEMI JOIN work_suspects ON followed.person_hash = work_suspects.person_hash
    QUALIFY row_number() OVER (
        PARTITION BY request_id, voter_id, CASE WHEN voter_id IS NULL THEN vote_id END
        ORDER BY created_at ASC NULLS LAST, vote_id ASC
    ) = 1
)

SELECT
    counted.vote_id,
    counted.request_id,
    counted.voter_id,
    counted.created_at,
    voters.company_id,
    voters.match_method,
    CASE WHEN voters.voter_id IS NULL THEN 'no_email' ELSE voters.reason END AS reason,
    voters.email_domain,
    coalesce(voters.candidate_company_ids, []::VARCHAR[]) AS candidate_company_ids
FROM counted
SEMI JOIN raw.feature_requests AS requests ON counted.request_id = requests.request_id
LEFT JOIN work_voter_companies AS voters ON counted.voter_id = voters.voter_id
