-- grain: one set of several companies; key: company_ids
-- inputs: work_tie_sets, work_tie_members, work_ancestors, work_crm_arr (companies whose CRM ARR is above zero)
-- ancestor_id is the one company above all others of the set; winner_id is the one that wins for votes: the ancestor if
-- its ARR is above zero or nobody's is, else the only one with ARR, else the ancestor.

WITH above_all_others AS (
    SELECT
        members.set_id,
        upper_members.company_id
    FROM work_tie_members AS members
    INNER JOIN work_ancestors AS ancestors ON members.company_id = ancestors.company_id
    INNER JOIN work_tie_members AS upper_members
        ON members.set_id = upper_members.set_id AND ancestors.ancestor_id = upper_members.company_id
    -- a company that is its own ancestor is not above itself
    WHERE members.company_id <> ancestors.ancestor_id
    GROUP BY members.set_id, upper_members.company_id
    -- above every other member: a parent of some of them decides nothing for the rest
    HAVING count(*) = any_value(members.companies) - 1
),

tops AS (
    SELECT
        set_id,
        any_value(company_id) AS ancestor_id
    FROM above_all_others
    GROUP BY set_id
    -- in a circle of parents several are above all others, so none of them is
    HAVING count(*) = 1
),

earners AS (
    SELECT
        members.set_id,
        count(*) AS earning,
        any_value(members.company_id) AS any_earner_id,
        list(members.company_id) AS earner_ids
    FROM work_tie_members AS members
    INNER JOIN work_crm_arr AS arr ON members.company_id = arr.company_id
    GROUP BY members.set_id
)

SELECT
    sets.company_ids,
    tops.ancestor_id,
    CASE
        WHEN
            tops.ancestor_id IS NOT NULL
            AND (earners.earning IS NULL OR list_contains(earners.earner_ids, tops.ancestor_id))
            THEN tops.ancestor_id
        WHEN earners.earning = 1 THEN earners.any_earner_id
        ELSE tops.ancestor_id
    END AS winner_id
FROM work_tie_sets AS sets
LEFT JOIN tops ON sets.set_id = tops.set_id
LEFT JOIN earners ON sets.set_id = earners.set_id
