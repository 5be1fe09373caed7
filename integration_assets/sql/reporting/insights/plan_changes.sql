-- Changes of a plan, in the order in which they are made, narrowed down by action and field.
-- grain: one operation; key: seq
-- inputs: ops.plan_changes, ranked.feature_requests, ranked.companies
WITH wanted AS (
    SELECT
        changes.*,
        count(*) OVER () AS found
    FROM ops.plan_changes AS changes
    WHERE
        changes.plan_id = $plan_id
        AND changes.seq > $after
        AND (len($actions) = 0 OR list_contains($actions, changes.action))
        AND (
            $field = ''
            OR changes.target = $field
            OR (
                list_contains(json_keys(changes.after_values), $field)
                AND coalesce(json_extract_string(changes.before_values, $field), '')
                <> coalesce(json_extract_string(changes.after_values, $field), '')
            )
        )
    ORDER BY changes.seq
    LIMIT
        $most_rows
        OFFSET $skipped
),

titles AS (
    SELECT
        lower(request_id) AS request_id,
        any_value(title) AS title,
        any_value(url) AS url
    FROM ranked.feature_requests
    GROUP BY ALL
)

SELECT
    wanted.seq,
    wanted.action,
    wanted.key,
    -- the id of a request in the key of a record: behind the name of the source, or all of it with several sources
    coalesce(
        one_source.title,
        several_sources.title,
        json_extract_string(wanted.after_values, 'title'),
        json_extract_string(wanted.before_values, 'title')
    ) AS title,
    coalesce(one_source.url, several_sources.url) AS url,
    wanted.target,
    wanted.target_id,
    companies.company_name,
    wanted.before_values::VARCHAR AS before_values,
    wanted.after_values::VARCHAR AS after_values,
    wanted.before_labels,
    wanted.after_labels,
    wanted.found
FROM wanted
LEFT JOIN titles AS one_source ON substr(wanted.key, strpos(wanted.key, ':') + 1) = one_source.request_id
LEFT JOIN titles AS several_sources ON wanted.key = several_sources.request_id
LEFT JOIN ranked.companies AS companies
    ON
        companies.company_id = CASE
            WHEN wanted.target = 'company' THEN wanted.target_id
            WHEN wanted.action = 'roll_up' THEN substr(wanted.key, strpos(wanted.key, ':') + 1)
        END
ORDER BY wanted.seq
