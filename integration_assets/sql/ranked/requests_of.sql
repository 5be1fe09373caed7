-- ranked.requests_of (a table macro of the published database): the ranking of some companies alone.
-- grain: one request that one of them voted for; key: request_id
-- inputs: ranked.feature_requests, ranked.companies_where, ranked.company_requests, ranked.deals_at_stake
-- lifecycle_is, segments_are, owner_is, renews_by: parameters, as of `ranked.companies_where`.
-- Every number counts those companies alone, their places are among each other; what cannot be counted so is null.
WITH chosen AS (
    SELECT *  -- noqa: AM04
    FROM ranked.companies_where(
        lifecycle_is := lifecycle_is, segments_are := segments_are, owner_is := owner_is, renews_by := renews_by
    )
),

counted AS (
    SELECT
        pairs.request_id,
        sum(pairs.votes)::BIGINT AS votes,
        count(*) AS companies,
        count(*) FILTER (WHERE chosen.is_customer) AS customers,
        coalesce(sum(chosen.arr), 0)::DECIMAL(38, 2) AS arr,
        coalesce(sum(chosen.arr) FILTER (WHERE chosen.lifecycle = 'customer'), 0)::DECIMAL(38, 2) AS arr_customers,
        coalesce(sum(chosen.arr) FILTER (WHERE chosen.lifecycle = 'prospect'), 0)::DECIMAL(38, 2) AS arr_prospects,
        count(*) FILTER (WHERE chosen.lifecycle = 'unknown') AS companies_without_lifecycle,
        count(*) FILTER (WHERE chosen.arr IS NULL) AS companies_without_arr,
        count(*) FILTER (WHERE chosen.arr_status = 'no_rate') AS companies_without_rate,
        min(pairs.first_vote_at) AS first_vote_at,
        max(pairs.last_vote_at) AS last_vote_at
    FROM ranked.company_requests AS pairs
    INNER JOIN chosen ON pairs.company_id = chosen.company_id
    GROUP BY pairs.request_id
),

-- by company, as a list of all that are chosen would be gone through for every deal
company_deals AS (
    SELECT
        request_id,
        deal_id,
        amount,
        unnest(company_ids) AS company_id
    FROM ranked.deals_at_stake
),

-- each deal once per request, however many of its companies are chosen
request_deals AS (
    SELECT DISTINCT
        company_deals.request_id,
        company_deals.deal_id,
        company_deals.amount
    FROM company_deals
    INNER JOIN chosen ON company_deals.company_id = chosen.company_id
),

pipelines AS (
    SELECT
        request_id,
        sum(amount)::DECIMAL(38, 2) AS open_pipeline
    FROM request_deals
    GROUP BY request_id
),

places AS (
    SELECT
        counted.*,
        row_number() OVER (
            ORDER BY
                counted.companies DESC, counted.arr DESC, counted.votes DESC, requests.created_at ASC NULLS LAST,
                counted.request_id ASC
        ) AS rank_by_companies,
        row_number() OVER (
            ORDER BY
                counted.arr DESC, counted.companies DESC, counted.votes DESC, requests.created_at ASC NULLS LAST,
                counted.request_id ASC
        ) AS rank_by_arr,
        row_number() OVER (
            ORDER BY
                counted.votes DESC, counted.companies DESC, counted.arr DESC, requests.created_at ASC NULLS LAST,
                counted.request_id ASC
        ) AS rank_by_votes
    FROM counted
    INNER JOIN ranked.feature_requests AS requests ON counted.request_id = requests.request_id
)

SELECT
    requests.* REPLACE (  -- noqa: AM04
        places.votes AS votes,
        -- one voter of a company has one counted vote per request
        places.votes AS voters,
        places.companies AS companies,
        places.customers AS customers,
        places.arr AS arr,
        places.arr_customers AS arr_customers,
        places.arr_prospects AS arr_prospects,
        places.companies_without_lifecycle AS companies_without_lifecycle,
        places.companies_without_arr AS companies_without_arr,
        places.companies_without_rate AS companies_without_rate,
        -- null stays null: deals were not read
        CASE WHEN requests.open_pipeline IS NOT NULL THEN coalesce(pipelines.open_pipeline, 0)::DECIMAL(38, 2) END
            AS open_pipeline,
        NULL::BIGINT AS votes_30d,
        NULL::BIGINT AS companies_30d,
        places.first_vote_at AS first_vote_at,
        places.last_vote_at AS last_vote_at,
        0::BIGINT AS unresolved_votes,
        NULL::VARCHAR[] AS voter_domains,
        places.rank_by_companies AS rank_by_companies,
        places.rank_by_arr AS rank_by_arr,
        places.rank_by_votes AS rank_by_votes,
        places.rank_by_votes - places.rank_by_arr AS rank_gap,
        coalesce(places.arr::DOUBLE / nullif((SELECT sum(chosen.arr) FROM chosen), 0)::DOUBLE, 0.0) AS arr_share
    )
FROM places
INNER JOIN ranked.feature_requests AS requests ON places.request_id = requests.request_id
LEFT JOIN pipelines ON places.request_id = pipelines.request_id
