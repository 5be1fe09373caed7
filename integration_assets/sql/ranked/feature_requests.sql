-- ranked.feature_requests, asset ranked_feature_requests: the ranking.
-- grain: one request of the source, merged-away ones left out; key: request_id
-- inputs: raw.feature_requests, resolved.ranked_requests, resolved.counted_votes, resolved.voters,
--     resolved.address_hosts, resolved.company_votes, resolved.ranked_companies, ranked.companies,
--     resolved.company_deals, resolved.deals, ranked.merged_requests, raw.reads
-- $as_of: start of the read, UTC.
-- A company counts once per request and once in the total. Ranks are total: ties end at the id.

WITH vote_totals AS (
    SELECT
        votes.request_no,
        count(*) AS votes,
        -- one voter has one vote per request here, and whoever is gone is no known person
        count(votes.voter_no) + count(votes.stranger_id) AS voters,
        count(*) FILTER (WHERE voters.company_no IS NULL) AS unresolved_votes,
        count(*) FILTER (WHERE votes.created_at BETWEEN $as_of::TIMESTAMP - INTERVAL 30 DAY AND $as_of::TIMESTAMP)
            AS votes_30d,
        min(votes.created_at) AS first_vote_at,
        max(votes.created_at) AS last_vote_at
    FROM resolved.counted_votes AS votes
    LEFT JOIN resolved.voters AS voters ON votes.voter_no = voters.voter_no
    GROUP BY votes.request_no
),

recent_companies AS (
    SELECT
        votes.request_no,
        count(DISTINCT voters.company_no) AS companies_30d
    FROM resolved.counted_votes AS votes
    INNER JOIN resolved.voters AS voters ON votes.voter_no = voters.voter_no
    -- up to the read: a vote dated in the future is not recent
    WHERE votes.created_at BETWEEN $as_of::TIMESTAMP - INTERVAL 30 DAY AND $as_of::TIMESTAMP
    GROUP BY votes.request_no
),

company_totals AS (
    SELECT
        pairs.request_no,
        count(*) AS companies,
        count(*) FILTER (WHERE companies.is_customer) AS customers,
        sum(companies.arr) AS arr,
        sum(companies.arr) FILTER (WHERE companies.lifecycle = 'customer') AS arr_customers,
        sum(companies.arr) FILTER (WHERE companies.lifecycle = 'prospect') AS arr_prospects,
        count(*) FILTER (WHERE companies.lifecycle = 'unknown') AS companies_without_lifecycle,
        count(*) FILTER (WHERE companies.arr IS NULL) AS companies_without_arr,
        count(*) FILTER (WHERE companies.arr_status = 'no_rate') AS companies_without_rate
    FROM resolved.company_votes AS pairs
    INNER JOIN resolved.ranked_companies AS companies ON pairs.company_no = companies.company_no
    GROUP BY pairs.request_no
),

-- each deal once per request, however many of its companies voted
request_deals AS (
    SELECT DISTINCT
        pairs.request_no,
        found.deal_no
    FROM resolved.company_votes AS pairs
    INNER JOIN resolved.company_deals AS found ON pairs.company_no = found.company_no
),

pipelines AS (
    SELECT
        request_deals.request_no,
        sum(deals.amount) AS open_pipeline
    FROM request_deals
    INNER JOIN resolved.deals AS deals ON request_deals.deal_no = deals.deal_no
    GROUP BY request_deals.request_no
),

deals_read AS (
    SELECT count(*) > 0 AS known
    FROM raw.reads
    WHERE input = 'deals'
),

all_voting_companies AS (
    SELECT sum(arr) AS arr
    FROM ranked.companies
),

-- materialised, as it is read twice: numbered anew the second time, numbers would name other domains
domain_names AS MATERIALIZED (
    SELECT
        registrable_domain,
        row_number() OVER ()::INTEGER AS domain_no
    FROM (
        SELECT DISTINCT registrable_domain
        FROM resolved.address_hosts
        WHERE kind = 'business' AND registrable_domain IS NOT NULL
    ) AS names
),

voter_domains AS (
    SELECT
        voters.voter_no,
        domain_names.domain_no
    FROM resolved.voters AS voters
    INNER JOIN resolved.address_hosts AS hosts ON voters.host_no = hosts.host_no AND hosts.kind = 'business'
    INNER JOIN domain_names ON hosts.registrable_domain = domain_names.registrable_domain
),

request_domains AS (
    SELECT DISTINCT
        votes.request_no,
        voter_domains.domain_no
    FROM resolved.counted_votes AS votes
    INNER JOIN voter_domains ON votes.voter_no = voter_domains.voter_no
),

domains AS (
    SELECT
        request_domains.request_no,
        -- sorted afterwards: a list made in order takes many times the memory
        list_sort(list(domain_names.registrable_domain)) AS voter_domains
    FROM request_domains
    INNER JOIN domain_names ON request_domains.domain_no = domain_names.domain_no
    GROUP BY request_domains.request_no
),

-- of the file of same requests only: what the feedback system merged was its own request all along
merged AS (
    SELECT
        merged_into AS request_id,
        list(request_id ORDER BY votes DESC, request_id ASC) AS merged_requests,
        list(
            concat(
                coalesce(title, request_id), ' (', source, ', ', votes, if(votes = 1, ' vote', ' votes'),
                coalesce(', ' || url, ''), ')'
            )
            ORDER BY votes DESC, request_id ASC
        ) AS merged_details
    FROM ranked.merged_requests
    WHERE merged_by = 'same_requests'
    GROUP BY merged_into
),

totals AS (
    SELECT
        requests.request_id,
        requests.title,
        requests.status,
        numbers.is_open,
        requests.board,
        requests.category,
        -- a filter by tag must find nothing, not lose the row, where the source has none
        coalesce(requests.tags, []::VARCHAR[]) AS tags,
        requests.url,
        requests.created_at,
        requests.status_changed_at,
        coalesce(vote_totals.votes, 0) AS votes,
        coalesce(vote_totals.voters, 0) AS voters,
        coalesce(company_totals.companies, 0) AS companies,
        coalesce(company_totals.customers, 0) AS customers,
        -- a request nobody's company voted for earns nothing, and must not sort as unknown
        coalesce(company_totals.arr, 0)::DECIMAL(38, 2) AS arr,
        coalesce(company_totals.arr_customers, 0)::DECIMAL(38, 2) AS arr_customers,
        coalesce(company_totals.arr_prospects, 0)::DECIMAL(38, 2) AS arr_prospects,
        coalesce(company_totals.companies_without_lifecycle, 0) AS companies_without_lifecycle,
        coalesce(company_totals.companies_without_arr, 0) AS companies_without_arr,
        coalesce(company_totals.companies_without_rate, 0) AS companies_without_rate,
        coalesce(pipelines.open_pipeline, 0)::DECIMAL(38, 2) AS open_pipeline,
        coalesce(vote_totals.votes_30d, 0) AS votes_30d,
        coalesce(recent_companies.companies_30d, 0) AS companies_30d,
        vote_totals.first_vote_at,
        vote_totals.last_vote_at,
        coalesce(vote_totals.unresolved_votes, 0) AS unresolved_votes,
        coalesce(domains.voter_domains, []::VARCHAR[]) AS voter_domains,
        coalesce(merged.merged_requests, []::VARCHAR[]) AS merged_requests,
        coalesce(merged.merged_details, []::VARCHAR[]) AS merged_details
    FROM resolved.ranked_requests AS numbers
    INNER JOIN raw.feature_requests AS requests ON numbers.request_id = requests.request_id
    LEFT JOIN vote_totals ON numbers.request_no = vote_totals.request_no
    LEFT JOIN recent_companies ON numbers.request_no = recent_companies.request_no
    LEFT JOIN company_totals ON numbers.request_no = company_totals.request_no
    LEFT JOIN pipelines ON numbers.request_no = pipelines.request_no
    LEFT JOIN domains ON numbers.request_no = domains.request_no
    LEFT JOIN merged ON numbers.request_id = merged.request_id
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
    totals.tags,
    totals.url,
    -- set before it is published: a record that is still to be created has no id yet
    NULL::VARCHAR AS crm_url,
    totals.created_at,
    totals.status_changed_at,
    totals.votes,
    totals.voters,
    totals.companies,
    totals.customers,
    totals.arr,
    totals.arr_customers,
    totals.arr_prospects,
    totals.companies_without_lifecycle,
    totals.companies_without_arr,
    totals.companies_without_rate,
    -- without a read nothing is known of deals, which is not the same as that there are none
    CASE WHEN deals_read.known THEN totals.open_pipeline END AS open_pipeline,
    totals.votes_30d,
    totals.companies_30d,
    totals.first_vote_at,
    totals.last_vote_at,
    totals.unresolved_votes,
    totals.voter_domains,
    totals.merged_requests,
    totals.merged_details,
    ranks.rank_by_companies,
    ranks.rank_by_arr,
    ranks.rank_by_votes,
    ranks.rank_by_votes - ranks.rank_by_arr AS rank_gap,
    CASE
        -- null where no company has a figure, zero where all earn nothing: there is no share of either
        WHEN all_voting_companies.arr > 0 THEN totals.arr::DOUBLE / all_voting_companies.arr::DOUBLE ELSE 0.0
    END::DOUBLE AS arr_share,
    $as_of::TIMESTAMP AS as_of
FROM totals
INNER JOIN ranks ON totals.request_id = ranks.request_id
CROSS JOIN all_voting_companies
CROSS JOIN deals_read
ORDER BY ranks.rank_by_arr
