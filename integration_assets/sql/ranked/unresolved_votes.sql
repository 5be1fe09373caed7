-- ranked.unresolved_votes, asset unresolved_votes: votes that count for no company, by domain.
-- grain: one domain and reason; key: email_domain, reason
-- inputs: resolved.counted_votes, resolved.voters, resolved.address_hosts
-- email_domain is null without an address. candidate_company_ids: all companies between which nothing decided, or that
-- have this personal or suspected mail domain for their own.

WITH lost AS (
    SELECT
        votes.request_no,
        votes.created_at,
        voters.host_no,
        CASE WHEN voters.voter_no IS NULL THEN 'no_email' ELSE voters.reason END AS reason
    FROM resolved.counted_votes AS votes
    LEFT JOIN resolved.voters AS voters ON votes.voter_no = voters.voter_no
    -- of voters who are gone as well: the join leaves them without a number
    WHERE voters.company_no IS NULL
),

-- first by request, then without: a count of distinct requests for each of so many domains takes four times as long
by_request AS (
    SELECT
        coalesce(hosts.registrable_domain, hosts.host) AS email_domain,
        lost.reason,
        lost.request_no,
        count(*) AS votes,
        max(lost.created_at) AS last_vote_at
    FROM lost
    LEFT JOIN resolved.address_hosts AS hosts ON lost.host_no = hosts.host_no
    GROUP BY ALL
),

totals AS (
    SELECT
        email_domain,
        reason,
        sum(votes)::BIGINT AS votes,
        count(*) AS requests,
        max(last_vote_at) AS last_vote_at
    FROM by_request
    GROUP BY email_domain, reason
),

undecided AS (
    SELECT
        voter_no,
        host_no,
        reason,
        candidate_company_ids
    FROM resolved.voters
    WHERE len(candidate_company_ids) > 0
),

-- candidates are of voters who voted: somebody's membership alone asks no question
asking AS (
    SELECT DISTINCT undecided.*
    FROM resolved.counted_votes AS votes
    INNER JOIN undecided ON votes.voter_no = undecided.voter_no
),

members AS (
    SELECT DISTINCT
        coalesce(hosts.registrable_domain, hosts.host) AS email_domain,
        asking.reason,
        unnest(asking.candidate_company_ids) AS company_id
    FROM asking
    LEFT JOIN resolved.address_hosts AS hosts ON asking.host_no = hosts.host_no
),

candidates AS (
    SELECT
        email_domain,
        reason,
        list(company_id ORDER BY company_id) AS company_ids
    FROM members
    GROUP BY email_domain, reason
)

SELECT
    totals.email_domain,
    totals.reason,
    totals.votes,
    totals.requests,
    coalesce(candidates.company_ids, []::VARCHAR[]) AS candidate_company_ids,
    totals.last_vote_at
FROM totals
LEFT JOIN candidates
    -- votes without an address have no domain, and may have candidates through accounts
    ON totals.email_domain IS NOT DISTINCT FROM candidates.email_domain AND totals.reason = candidates.reason
ORDER BY totals.votes DESC, totals.email_domain ASC NULLS LAST, totals.reason ASC
