-- Changes of a plan, in the order in which they are made, narrowed down by action and field.
-- grain: one operation; key: seq
-- inputs: ops.plan_changes, ops.plans, ops.crm_pages, ranked.feature_requests, ranked.companies
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

-- the portal that was read last, where the plan is for that one
pages AS (
    SELECT
        pages.company_page,
        pages.request_page
    FROM ops.crm_pages AS pages
    INNER JOIN ops.plans AS plans ON pages.portal_id = plans.portal_id
    WHERE plans.plan_id = $plan_id
),

with_companies AS (
    SELECT
        *,
        CASE
            WHEN target = 'company' THEN target_id
            WHEN action = 'roll_up' THEN substr(key, strpos(key, ':') + 1)
        END AS company_id
    FROM wanted
),

titles AS (
    SELECT
        lower(request_id) AS request_id,
        any_value(title) AS title,
        any_value(url) AS url,
        any_value(crm_url) AS crm_url
    FROM ranked.feature_requests
    GROUP BY ALL
)

SELECT
    changes.seq,
    changes.action,
    changes.key,
    -- the id of a request in the key of a record: behind the name of the source, or all of it with several sources
    coalesce(
        one_source.title,
        several_sources.title,
        json_extract_string(changes.after_values, 'title'),
        json_extract_string(changes.before_values, 'title')
    ) AS title,
    coalesce(one_source.url, several_sources.url) AS url,
    changes.target,
    changes.target_id,
    companies.company_name,
    changes.before_values::VARCHAR AS before_values,
    changes.after_values::VARCHAR AS after_values,
    changes.before_labels,
    changes.after_labels,
    coalesce(
        replace(pages.request_page, '{id}', CASE WHEN changes.action <> 'roll_up' THEN changes.record_id END),
        -- a record the plan creates has its address once it was written
        one_source.crm_url,
        several_sources.crm_url
    ) AS crm_url,
    replace(pages.company_page, '{id}', changes.company_id) AS company_crm_url,
    changes.found
FROM with_companies AS changes
LEFT JOIN titles AS one_source ON substr(changes.key, strpos(changes.key, ':') + 1) = one_source.request_id
LEFT JOIN titles AS several_sources ON changes.key = several_sources.request_id
LEFT JOIN ranked.companies AS companies ON changes.company_id = companies.company_id
LEFT JOIN pages ON TRUE
ORDER BY changes.seq
