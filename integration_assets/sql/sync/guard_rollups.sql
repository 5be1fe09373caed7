-- How many companies a plan rolls up and clears beyond a released one, of how many that hold something, and whether any
-- was ever rolled up in this portal.
-- grain: one row
-- inputs: sync.plan_operations, raw.crm_companies, sync.ledger;
-- variables plan_id, released_plan_id ('' for none), portal_id
WITH planned AS (
    SELECT
        operations.key,
        operations.after_values['feature_requests_open'] = '' AS cleared
    FROM sync.plan_operations AS operations
    WHERE
        operations.plan_id = getvariable('plan_id')
        AND operations.action = 'roll_up'
        AND operations.key NOT IN (
            SELECT released.key FROM sync.plan_operations AS released
            WHERE released.plan_id = getvariable('released_plan_id') AND released.action = 'roll_up'
        )
)

SELECT
    (SELECT count(*) FROM planned) AS rolled_up,
    (
        SELECT count(*) FROM planned
        WHERE planned.cleared
    ) AS cleared,
    (
        SELECT count(*) FROM raw.crm_companies AS companies
        WHERE len(map_keys(companies.rollups)) > 0
    ) AS held,
    (
        SELECT count(*) > 0 FROM sync.ledger AS written
        WHERE written.action = 'roll_up' AND written.portal_id = getvariable('portal_id')
    ) AS rolled_up_before
