-- The first changes of a plan, in the order in which they are made.
-- grain: one operation; key: seq
-- inputs: ops.plan_changes, ranked.feature_requests, ranked.companies
SELECT
    changes.seq,
    changes.action,
    changes.key,
    requests.title,
    changes.target,
    changes.target_id,
    companies.company_name,
    changes.before_values::VARCHAR AS before_values,
    changes.after_values::VARCHAR AS after_values,
    changes.before_labels,
    changes.after_labels
FROM ops.plan_changes AS changes
LEFT JOIN ranked.feature_requests AS requests ON split_part(changes.key, ':', 2) = requests.request_id
LEFT JOIN ranked.companies AS companies ON changes.target = 'company' AND changes.target_id = companies.company_id
WHERE changes.plan_id = $plan_id
ORDER BY changes.seq
LIMIT $most_rows
