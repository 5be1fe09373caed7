-- Keys of ours that more than one live CRM record carries.
-- grain: one repeated key; key: repeated
-- inputs: raw.crm_feature_requests
SELECT
    lower(key) AS repeated,
    count(*) AS times
FROM raw.crm_feature_requests
-- nothing is written to an archived record: its key beside that of a live one is no clash
WHERE key IS NOT NULL AND NOT archived
GROUP BY lower(key)
HAVING count(*) > 1
ORDER BY repeated
