-- Requests merged into some by the file of same requests, or one that was merged away by whatever; most votes first.
-- grain: one request that was merged away; key: request_id
-- inputs: ranked.merged_requests, ranked.feature_requests
-- $request_id: the one that was merged away, null for all; $merged_into: ids of those it went into, null for any
SELECT
    merged.request_id,
    merged.source,
    merged.title,
    merged.url,
    merged.votes,
    merged.merged_into,
    requests.title AS merged_into_title,
    merged.merged_by
FROM ranked.merged_requests AS merged
INNER JOIN ranked.feature_requests AS requests ON merged.merged_into = requests.request_id
WHERE
    ($request_id IS NULL OR merged.request_id = $request_id)
    AND (
        $merged_into IS NULL
        OR (merged.merged_by = 'same_requests' AND list_contains($merged_into::VARCHAR[], merged.merged_into))
    )
ORDER BY
    list_position($merged_into::VARCHAR[], merged.merged_into), merged.votes DESC, merged.request_id ASC
