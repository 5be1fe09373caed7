-- How many companies a filter chooses, of how many that voted, and what is not known of the others.
-- grain: one row
-- inputs: ranked.companies_where, ranked.companies, ranked.company_segments
-- $lifecycle, $segments, $owner, $renews_by: which companies, null for any
WITH asked AS (
    SELECT DISTINCT lower(split_part(wanted.segment, '=', 1)) AS property
    FROM unnest($segments::VARCHAR[]) AS wanted (segment)
),

known AS (
    SELECT
        segments.company_id,
        count(DISTINCT asked.property) AS properties
    FROM ranked.company_segments AS segments
    INNER JOIN asked ON lower(segments.property) = asked.property
    GROUP BY segments.company_id
)

SELECT
    (
        SELECT count(*)
        FROM ranked.companies_where(
            lifecycle_is := $lifecycle, segments_are := $segments, owner_is := $owner, renews_by := $renews_by
        )
    ) AS chosen,
    count(*) AS voted,
    count(*) FILTER (WHERE companies.lifecycle = 'unknown') AS without_lifecycle,
    count(*) FILTER (WHERE coalesce(known.properties, 0) < (SELECT count(*) FROM asked)) AS without_segment,
    count(*) FILTER (WHERE companies.owner IS NULL) AS without_owner,
    count(*) FILTER (WHERE companies.renewal_date IS NULL) AS without_renewal
FROM ranked.companies AS companies
LEFT JOIN known ON companies.company_id = known.company_id
