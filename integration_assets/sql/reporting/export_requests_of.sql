-- Requests of the ranking of some companies alone with all their published columns, for a file.
-- grain: one request; key: request_id
-- inputs: ranked.requests_of
-- $request_ids: which, in their order; $lifecycle, $segments, $owner, $renews_by: of which companies, null for any
SELECT *  -- noqa: AM04
FROM
    ranked.requests_of(
        lifecycle_is := $lifecycle, segments_are := $segments, owner_is := $owner, renews_by := $renews_by
    )
WHERE list_contains($request_ids::VARCHAR[], request_id)
ORDER BY list_position($request_ids::VARCHAR[], request_id)
