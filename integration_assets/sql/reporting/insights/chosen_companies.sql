-- How many companies a filter chooses, of how many that voted, and what is not known of the others.
-- grain: one row
-- inputs: ranked.companies_where, ranked.companies
-- $lifecycle, $segments, $owner, $renews_by: which companies, null for any
SELECT
    (
        SELECT count(*)
        FROM ranked.companies_where(
            lifecycle_is := $lifecycle, segments_are := $segments, owner_is := $owner, renews_by := $renews_by
        )
    ) AS chosen,
    count(*) AS voted,
    count(*) FILTER (WHERE lifecycle = 'unknown') AS without_lifecycle,
    count(*) FILTER (WHERE owner IS NULL) AS without_owner,
    count(*) FILTER (WHERE renewal_date IS NULL) AS without_renewal
FROM ranked.companies
