-- Requests of a ranking with all their published columns, for a file.
-- grain: one request; key: request_id
-- inputs: ranked.feature_requests, or ranked.requests_of in its place (`insights.of_ranking`)
-- $request_ids: which, in their order
SELECT *  -- noqa: AM04
FROM ranked.feature_requests
WHERE list_contains($request_ids::VARCHAR[], request_id)
ORDER BY list_position($request_ids::VARCHAR[], request_id)
