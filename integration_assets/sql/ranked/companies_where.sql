-- ranked.companies_where (a table macro of the published database): companies that voted and fit.
-- grain: one company; key: company_id
-- inputs: ranked.companies, ranked.company_segments, ranked.feature_requests
-- lifecycle_is, segments_are, owner_is, renews_by: parameters, null for any, without regard to case. Of segments_are,
-- texts as `industry=Software`, a company fits with one value of each property that is named; an empty list is any as
-- well. Renewals are from the day of the ranking on.
SELECT *  -- noqa: AM04
FROM ranked.companies
WHERE
    (lifecycle_is IS NULL OR lifecycle = lower(lifecycle_is))
    AND (owner_is IS NULL OR lower(owner) = lower(owner_is))
    AND (
        renews_by IS NULL
        OR renewal_date BETWEEN
        (SELECT max(as_of)::DATE FROM ranked.feature_requests) AND renews_by::DATE
    )
    AND (
        coalesce(len(segments_are::VARCHAR[]), 0) = 0
        OR company_id IN (
            SELECT segments.company_id
            FROM ranked.company_segments AS segments
            INNER JOIN (
                SELECT DISTINCT lower(wanted.segment) AS segment
                FROM unnest(segments_are::VARCHAR[]) AS wanted (segment)
            ) AS asked ON lower(segments.property || '=' || segments.value) = asked.segment
            GROUP BY segments.company_id
            HAVING
                count(DISTINCT lower(segments.property)) = (
                    SELECT count(DISTINCT lower(split_part(wanted.segment, '=', 1)))
                    FROM unnest(segments_are::VARCHAR[]) AS wanted (segment)
                )
        )
    )
