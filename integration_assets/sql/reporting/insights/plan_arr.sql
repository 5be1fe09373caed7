-- The largest changes of ARR that a plan makes, up or down; a new record counts from zero.
-- grain: one record; key: seq
-- inputs: ops.plan_changes, ranked.feature_requests
WITH moved AS (
    SELECT
        changes.seq,
        changes.action,
        changes.key,
        json_extract_string(changes.after_values, 'title') AS new_title,
        try_cast(nullif(json_extract_string(changes.before_values, 'arr'), '') AS DECIMAL(38, 2)) AS before_arr,
        try_cast(nullif(json_extract_string(changes.after_values, 'arr'), '') AS DECIMAL(38, 2)) AS after_arr
    FROM ops.plan_changes AS changes
    WHERE
        changes.plan_id = $plan_id
        AND changes.action IN ('create', 'update', 'retire')
        AND list_contains(json_keys(changes.after_values), 'arr')
),

titles AS (
    SELECT
        lower(request_id) AS request_id,
        any_value(title) AS title
    FROM ranked.feature_requests
    GROUP BY ALL
)

SELECT
    moved.action,
    moved.key,
    coalesce(one_source.title, several_sources.title, moved.new_title) AS title,
    coalesce(moved.before_arr, 0) AS before_arr,
    coalesce(moved.after_arr, 0) AS after_arr
FROM moved
LEFT JOIN titles AS one_source ON substr(moved.key, strpos(moved.key, ':') + 1) = one_source.request_id
LEFT JOIN titles AS several_sources ON moved.key = several_sources.request_id
WHERE coalesce(moved.before_arr, 0) <> coalesce(moved.after_arr, 0)
ORDER BY abs(coalesce(moved.after_arr, 0) - coalesce(moved.before_arr, 0)) DESC, moved.seq
LIMIT $most_rows
