-- What each company should hold in our properties, beside what it holds; companies with neither are left out.
-- grain: one live company; key: company_id
-- inputs: ranked.company_requests, ranked.feature_requests, raw.crm_companies; variable top_requests
WITH waiting AS (
    SELECT
        pairs.company_id,
        count(*) AS requests,
        -- titles of one line each: a line is a request
        array_to_string(
            list(
                regexp_replace(requests.title, '\s+', ' ', 'g')
                ORDER BY requests.rank_by_arr
            )[1:getvariable('top_requests')],
            chr(10)
        ) AS titles
    FROM ranked.company_requests AS pairs
    INNER JOIN ranked.feature_requests AS requests ON pairs.request_id = requests.request_id
    WHERE requests.is_open
    GROUP BY pairs.company_id
)

SELECT
    companies.company_id,
    companies.rollups,
    waiting.requests,
    waiting.titles
FROM raw.crm_companies AS companies
LEFT JOIN waiting ON companies.company_id = waiting.company_id
WHERE waiting.company_id IS NOT NULL OR len(map_keys(companies.rollups)) > 0
ORDER BY companies.company_id
