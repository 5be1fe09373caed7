-- grain: one company of a tie and one of its ancestors, of any depth; key: company_id, ancestor_id
-- inputs: work_parents, work_tie_members
-- UNION keeps a pair once, which ends the climb in a circle of parents.

WITH RECURSIVE ancestors AS (
    SELECT
        company_id,
        parent_id AS ancestor_id
    FROM work_parents
    -- only from companies of a tie: the climb from all of a CRM's companies would be for nothing
    WHERE company_id IN (SELECT members.company_id FROM work_tie_members AS members)
    UNION
    SELECT
        ancestors.company_id,
        work_parents.parent_id AS ancestor_id
    FROM ancestors
    INNER JOIN work_parents ON ancestors.ancestor_id = work_parents.company_id
)

SELECT
    company_id,
    ancestor_id
FROM ancestors
