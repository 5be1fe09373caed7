-- Where people see records in the CRM: addresses with {id} for the id of a record, null where they are not known.
ALTER TABLE raw.crm_portals ADD COLUMN company_page VARCHAR;
ALTER TABLE raw.crm_portals ADD COLUMN request_page VARCHAR;
ALTER TABLE raw.crm_portals ADD COLUMN pages_unknown VARCHAR;

-- grain: one row, of the portal that was read last; key: portal_id
CREATE VIEW ops.crm_pages AS
SELECT
    portal_id,
    company_page,
    request_page,
    pages_unknown
FROM raw.crm_portals
WHERE role = 'target';

-- As before, with the id of the record: its address is made of it.
-- grain: one operation; key: plan_id, seq. All of the newest plan, which somebody may still approve, and the first 200
-- of the four before it.
CREATE OR REPLACE VIEW ops.plan_changes AS
SELECT
    operations.plan_id,
    operations.seq,
    operations.action,
    operations.key,
    operations.target,
    operations.target_id,
    to_json(operations.before_values) AS before_values,
    to_json(operations.after_values) AS after_values,
    operations.before_labels,
    operations.after_labels,
    operations.record_id
FROM sync.plan_operations AS operations
INNER JOIN (
    SELECT
        plans.plan_id,
        row_number() OVER (ORDER BY plans.created_at DESC, plans.plan_id ASC) AS place,
        (
            SELECT min(first_ones.seq)
            FROM sync.plan_operations AS first_ones
            WHERE first_ones.plan_id = plans.plan_id
        ) AS first_seq
    FROM sync.plans AS plans
) AS newest ON operations.plan_id = newest.plan_id
WHERE newest.place = 1 OR (newest.place <= 5 AND operations.seq <= newest.first_seq + 199);
