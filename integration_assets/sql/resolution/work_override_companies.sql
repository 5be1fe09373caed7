-- grain: one mapped address or domain; key: match
-- inputs: work_overrides (usable mappings), resolved.company_survivors
-- A mapping to a company that is gone is none.

SELECT
    overrides.match,
    list(DISTINCT survivors.survivor_id ORDER BY survivors.survivor_id) AS company_ids
FROM work_overrides AS overrides
INNER JOIN resolved.company_survivors AS survivors ON overrides.company_id = survivors.company_id
GROUP BY overrides.match
