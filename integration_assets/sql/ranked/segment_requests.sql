-- ranked.segment_requests (a table macro of the published database): the first requests of each segment of companies.
-- grain: one request of a segment, or one row without a request where a segment has none; key: property, value, place
-- inputs: ranked.company_segments, ranked.companies, ranked.company_requests, ranked.feature_requests
-- property_is: the only property, null for all; ranked_by: arr | companies | votes; everything: shipped and closed
-- requests as well; most_segments: of each property, those with most ARR; most_requests: of each segment.
-- Every number of a request counts the companies of the segment alone. place is its place among all requests of the
-- segment, as of `ranked.requests_of`. Spellings of a value that differ in upper and lower case are one segment.
WITH members AS (
    SELECT
        lower(property) AS property_key,
        lower(value) AS value_key,
        company_id,
        min(property) AS property,
        min(value) AS value
    FROM ranked.company_segments
    WHERE property_is IS NULL OR lower(property) = lower(property_is)
    GROUP BY ALL
),

known AS (
    SELECT
        property_key,
        min(property) AS property,
        (SELECT count(*) FROM ranked.companies) - count(DISTINCT company_id) AS companies_without
    FROM members
    GROUP BY property_key
),

every_segment AS (
    SELECT
        members.property_key,
        members.value_key,
        min(members.value) AS value,
        count(*) AS segment_companies,
        coalesce(sum(companies.arr), 0)::DECIMAL(38, 2) AS segment_arr,
        count(*) OVER (PARTITION BY members.property_key) AS segments,
        row_number() OVER (
            PARTITION BY members.property_key
            ORDER BY coalesce(sum(companies.arr), 0) DESC, count(*) DESC, members.value_key ASC
        ) AS segment_no
    FROM members
    INNER JOIN ranked.companies AS companies ON members.company_id = companies.company_id
    GROUP BY members.property_key, members.value_key
),

-- before the votes are counted: a property with thousands of values would have each of them ranked
chosen AS (
    SELECT * FROM every_segment
    WHERE segment_no <= most_segments
),

counted AS (
    SELECT
        chosen.property_key,
        chosen.value_key,
        pairs.request_id,
        count(*) AS companies,
        coalesce(sum(companies.arr), 0)::DECIMAL(38, 2) AS arr,
        count(*) FILTER (WHERE companies.arr_status = 'no_rate') AS companies_without_rate,
        sum(pairs.votes)::BIGINT AS votes
    FROM chosen
    INNER JOIN members ON chosen.property_key = members.property_key AND chosen.value_key = members.value_key
    INNER JOIN ranked.companies AS companies ON members.company_id = companies.company_id
    INNER JOIN ranked.company_requests AS pairs ON members.company_id = pairs.company_id
    GROUP BY chosen.property_key, chosen.value_key, pairs.request_id
),

places AS (
    SELECT
        counted.*,
        requests.title,
        requests.status,
        requests.is_open,
        requests.url,
        requests.crm_url,
        row_number() OVER (
            PARTITION BY counted.property_key, counted.value_key
            ORDER BY
                CASE ranked_by
                    WHEN 'companies' THEN counted.companies
                    WHEN 'votes' THEN counted.votes
                    ELSE counted.arr
                END DESC,
                CASE ranked_by WHEN 'companies' THEN counted.arr ELSE counted.companies END DESC,
                CASE ranked_by WHEN 'votes' THEN counted.arr ELSE counted.votes END DESC,
                requests.created_at ASC NULLS LAST,
                counted.request_id ASC
        ) AS place
    FROM counted
    INNER JOIN ranked.feature_requests AS requests ON counted.request_id = requests.request_id
),

shown AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY property_key, value_key ORDER BY place) AS shown_no,
        count(*) OVER (PARTITION BY property_key, value_key) AS requests
    FROM places
    WHERE is_open OR everything
)

SELECT
    known.property,
    chosen.value,
    chosen.segment_companies,
    chosen.segment_arr,
    chosen.segments,
    known.companies_without,
    coalesce(shown.requests, 0) AS requests,
    shown.place,
    shown.request_id,
    shown.title,
    shown.status,
    shown.companies,
    shown.arr,
    shown.companies_without_rate,
    shown.votes,
    shown.url,
    shown.crm_url
FROM chosen
INNER JOIN known ON chosen.property_key = known.property_key
LEFT JOIN shown
    ON
        chosen.property_key = shown.property_key
        AND chosen.value_key = shown.value_key
        AND shown.shown_no <= most_requests
ORDER BY known.property ASC, chosen.segment_no ASC, shown.place ASC
