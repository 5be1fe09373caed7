-- ranked.feature_requests, asset ranked_feature_requests: the ranking.
-- grain: one request of the source, merged-away ones left out; key: request_id
-- inputs: raw.feature_requests, resolved.request_survivors, resolved.votes, resolved.addresses, resolved.company_arr,
--     raw.crm_companies, ranked.company_requests, ranked.companies
-- $as_of: start of the read, UTC. $open_statuses: statuses of open requests.
-- A company counts once per request and once in the total. Ranks are total: ties end at the id.

WITH vote_totals AS (
    SELECT
        request_id,
        count(*) AS votes,
        count(voter_id) AS voters,  -- one voter has one vote per request here, and whoever is gone is no known person
        count(*) FILTER (WHERE reason IS NOT NULL) AS unresolved_votes,
        count(*) FILTER (WHERE created_at BETWEEN $as_of::TIMESTAMP - INTERVAL 30 DAY AND $as_of::TIMESTAMP)
            AS votes_30d,
        count(DISTINCT company_id) FILTER (
            WHERE created_at BETWEEN $as_of::TIMESTAMP - INTERVAL 30 DAY AND $as_of::TIMESTAMP
        ) AS companies_30d,
        min(created_at) AS first_vote_at,
        max(created_at) AS last_vote_at
    FROM resolved.votes
    GROUP BY request_id
),

company_totals AS (
    SELECT
        pairs.request_id,
        count(*) AS companies,
        count(*) FILTER (WHERE lower(companies.lifecycle_stage) = 'customer' OR arr.arr > 0 OR arr.amount > 0)
            AS customers,
        sum(pairs.arr) AS arr,
        count(*) FILTER (WHERE pairs.arr IS NULL) AS companies_without_arr
    FROM ranked.company_requests AS pairs
    LEFT JOIN raw.crm_companies AS companies ON pairs.company_id = companies.company_id
    LEFT JOIN resolved.company_arr AS arr ON pairs.company_id = arr.company_id
    GROUP BY pairs.request_id
),

all_voting_companies AS (
    SELECT sum(arr) AS arr
    FROM ranked.companies
),

domains AS (
    SELECT
        votes.request_id,
        list(DISTINCT addresses.registrable_domain ORDER BY addresses.registrable_domain) AS voter_domains
    FROM resolved.votes AS votes
    INNER JOIN resolved.addresses AS addresses ON votes.voter_id = addresses.voter_id
    WHERE addresses.kind = 'business' AND addresses.registrable_domain IS NOT NULL
    GROUP BY votes.request_id
),

totals AS (
    SELECT
        requests.request_id,
        requests.title,
        requests.status,
        list_contains($open_statuses, coalesce(requests.status, 'unknown')) AS is_open,
        requests.board,
        requests.category,
        requests.url,
        requests.created_at,
        coalesce(vote_totals.votes, 0) AS votes,
        coalesce(vote_totals.voters, 0) AS voters,
        coalesce(company_totals.companies, 0) AS companies,
        coalesce(company_totals.customers, 0) AS customers,
        coalesce(company_totals.arr, 0)::DECIMAL(38, 2) AS arr,
        coalesce(company_totals.companies_without_arr, 0) AS companies_without_arr,
        coalesce(vote_totals.votes_30d, 0) AS votes_30d,
        coalesce(vote_totals.companies_30d, 0) AS companies_30d,
        vote_totals.first_vote_at,
        vote_totals.last_vote_at,
        coalesce(vote_totals.unresolved_votes, 0) AS unresolved_votes,
        coalesce(domains.voter_domains, []::VARCHAR[]) AS voter_domains
    FROM raw.feature_requests AS requests
    ANTI JOIN resolved.request_survivors AS merged ON requests.request_id = merged.request_id
    LEFT JOIN vote_totals ON requests.request_id = vote_totals.request_id
    LEFT JOIN company_totals ON requests.request_id = company_totals.request_id
    LEFT JOIN domains ON requests.request_id = domains.request_id
),

ranks AS (
    SELECT
        request_id,
        row_number() OVER (
            ORDER BY companies DESC, arr DESC, votes DESC, created_at ASC NULLS LAST, request_id ASC
        ) AS rank_by_companies,
        row_number() OVER (
            ORDER BY arr DESC, companies DESC, votes DESC, created_at ASC NULLS LAST, request_id ASC
        ) AS rank_by_arr,
        row_number() OVER (
            ORDER BY votes DESC, companies DESC, arr DESC, created_at ASC NULLS LAST, request_id ASC
        ) AS rank_by_votes
    FROM totals
)

SELECT
    totals.request_id,
    totals.title,
    totals.status,
    totals.is_open,
    totals.board,
    totals.category,
    totals.url,
    totals.created_at,
    totals.votes,
    totals.voters,
    totals.companies,
    totals.customers,
    totals.arr,
    totals.companies_without_arr,
    NULL::DECIMAL(38, 2) AS open_pipeline,
    totals.votes_30d,
    totals.companies_30d,
    totals.first_vote_at,
    totals.last_vote_at,
    totals.unresolved_votes,
    totals.voter_domains,
    ranks.rank_by_companies,
    ranks.rank_by_arr,
    ranks.rank_by_votes,
    ranks.rank_by_votes - ranks.rank_by_arr AS rank_gap,
    CASE
        WHEN all_voting_companies.arr > 0 THEN totals.arr::DOUBLE / all_voting_companies.arr::DOUBLE ELSE 0.0
    END::DOUBLE AS arr_share,
    $as_of::TIMESTAMP AS as_of
FROM totals
INNER JOIN ranks ON totals.request_id = ranks.request_id
CROSS JOIN all_voting_companies
ORDER BY ranks.rank_by_arr
