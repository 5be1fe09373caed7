-- Request ids that differ in case only: in the CRM their records would have one key.
-- grain: one key; key: repeated
-- inputs: raw.feature_requests
SELECT
    lower(request_id) AS repeated,
    count(DISTINCT request_id) AS times
FROM raw.feature_requests
GROUP BY lower(request_id)
HAVING count(DISTINCT request_id) > 1
ORDER BY repeated
