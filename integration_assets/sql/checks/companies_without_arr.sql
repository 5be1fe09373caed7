-- CRM companies whose mapped ARR property is empty, or not mapped.
-- grain: one row
-- inputs: raw.crm_companies
SELECT
    count(*) AS total_rows,
    count(*) FILTER (trim(coalesce(arr, '')) = '') AS without_value
FROM raw.crm_companies
