-- What the CRM holds under the keys a plan writes; record_id is null when the key exists archived only.
-- grain: one key; key: key
-- inputs: sync.plan_operations, raw.crm_feature_requests; variable plan_id
SELECT
    lower(held.key) AS key,
    any_value(held.property_values) FILTER (NOT held.archived) AS live_values,
    any_value(held.record_id) FILTER (NOT held.archived) AS record_id
FROM raw.crm_feature_requests AS held
WHERE
    lower(held.key) IN (
        SELECT key
        FROM sync.plan_operations
        WHERE plan_id = getvariable('plan_id') AND action IN ('create', 'update', 'retire')
    )
GROUP BY lower(held.key)
