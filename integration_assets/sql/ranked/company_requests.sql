-- ranked.company_requests (a view), asset company_feature_requests: which requests a company's people voted for.
-- grain: one company and request; key: company_id, request_id
-- inputs: resolved.company_votes, resolved.ranked_companies, resolved.ranked_requests

WITH method_bits AS (
    SELECT
        unnest(['account', 'contact', 'host', 'override', 'registrable_domain']) AS match_method,
        unnest([1, 2, 4, 8, 16]) AS bit
),

method_sets AS (
    SELECT
        sets.bits,
        list(method_bits.match_method ORDER BY method_bits.match_method) AS match_methods
    -- all 31 sets of five methods, so that each pair only looks its own up
    FROM (SELECT unnest(range(1, 32))::INTEGER AS bits) AS sets
    INNER JOIN method_bits ON (sets.bits & method_bits.bit) > 0
    GROUP BY sets.bits
)

SELECT
    companies.company_id,
    companies.company_name,
    companies.domain,
    companies.arr,
    companies.arr_status,
    requests.request_id,
    requests.title,
    requests.status,
    pairs.votes,
    pairs.first_vote_at,
    pairs.last_vote_at,
    method_sets.match_methods
FROM resolved.company_votes AS pairs
INNER JOIN resolved.ranked_requests AS requests ON pairs.request_no = requests.request_no
INNER JOIN resolved.ranked_companies AS companies ON pairs.company_no = companies.company_no
INNER JOIN method_sets ON pairs.method_bits = method_sets.bits
