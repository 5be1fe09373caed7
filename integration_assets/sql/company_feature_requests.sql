-- ranked.company_requests, asset company_feature_requests: which requests a company's people voted for.
-- grain: one company and request; key: company_id, request_id
-- inputs: resolved.votes, resolved.company_arr, resolved.company_hosts, raw.crm_companies, raw.feature_requests
-- arr is in the base currency, null without a figure. domain is the cleaned primary domain, null where it is no host.
-- The methods of a pair are collected as bits and become a list at the end: millions of pairs, few sets of methods.

WITH method_bits AS (
    SELECT
        unnest(['account', 'contact', 'host', 'override', 'registrable_domain']) AS match_method,
        unnest([1, 2, 4, 8, 16]) AS bit
),

method_sets AS (
    SELECT
        sets.bits,
        list(method_bits.match_method ORDER BY method_bits.match_method) AS match_methods
    FROM (SELECT unnest(range(1, 32))::INTEGER AS bits) AS sets
    INNER JOIN method_bits ON (sets.bits & method_bits.bit) > 0
    GROUP BY sets.bits
),

pairs AS (
    SELECT
        company_id,
        request_id,
        count(*) AS votes,
        min(created_at) AS first_vote_at,
        max(created_at) AS last_vote_at,
        bit_or(
            CASE match_method
                WHEN 'account' THEN 1 WHEN 'contact' THEN 2 WHEN 'host' THEN 4 WHEN 'override' THEN 8 ELSE 16
            END
        ) AS bits
    FROM resolved.votes
    WHERE company_id IS NOT NULL
    GROUP BY company_id, request_id
),

primary_hosts AS (
    SELECT
        company_id,
        min(host) AS domain
    FROM resolved.company_hosts
    WHERE origin = 'domain'
    GROUP BY company_id
)

SELECT
    pairs.company_id,
    companies.name AS company_name,
    primary_hosts.domain,
    arr.arr,
    pairs.request_id,
    requests.title,
    requests.status,
    pairs.votes,
    pairs.first_vote_at,
    pairs.last_vote_at,
    method_sets.match_methods
FROM pairs
INNER JOIN raw.feature_requests AS requests ON pairs.request_id = requests.request_id
LEFT JOIN raw.crm_companies AS companies ON pairs.company_id = companies.company_id
LEFT JOIN resolved.company_arr AS arr ON pairs.company_id = arr.company_id
INNER JOIN method_sets ON pairs.bits = method_sets.bits
LEFT JOIN primary_hosts ON pairs.company_id = primary_hosts.company_id
