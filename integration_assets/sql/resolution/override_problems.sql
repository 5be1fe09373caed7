-- resolved.override_problems: mappings that were ignored, and why.
-- grain: one mapping; key: match, company_id
-- inputs: work_override_checks (all mappings, with what is wrong with them by themselves), resolved.company_survivors

SELECT
    checks.match,
    checks.company_id,
    coalesce(checks.problem, 'the company is gone') AS reason
FROM work_override_checks AS checks
LEFT JOIN resolved.company_survivors AS survivors ON checks.company_id = survivors.company_id
WHERE checks.problem IS NOT NULL OR survivors.company_id IS NULL
ORDER BY checks.match, checks.company_id
