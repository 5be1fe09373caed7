-- The portals as last read.
-- grain: one portal; key: role
-- inputs: raw.crm_portals
SELECT
    role,
    environment,
    unreadable_reason,
    schema_json
FROM raw.crm_portals
ORDER BY role
