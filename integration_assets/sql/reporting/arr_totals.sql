-- The ARR of all companies that voted, and how many of them add nothing to it, and why.
-- grain: one row
-- inputs: ranked.companies
SELECT
    coalesce(sum(arr), 0)::DECIMAL(38, 2) AS arr,
    count(*) AS companies,
    count(*) FILTER (arr_status = 'no_figure') AS companies_without_figure,
    count(*) FILTER (arr_status = 'no_rate') AS companies_without_rate
FROM ranked.companies
