-- resolved.arr_unjoined: revenue figures that belong to no company of the CRM, or to nobody knows which.
-- grain: one figure; key: source, id
-- inputs: work_revenue_figures

SELECT
    source,
    figure_id AS id,
    figure,
    currency,
    CASE WHEN len(candidate_company_ids) > 1 THEN 'ambiguous_company' ELSE 'unknown_company' END AS reason,
    candidate_company_ids
FROM work_revenue_figures
WHERE company_id IS NULL
ORDER BY source, figure_id
