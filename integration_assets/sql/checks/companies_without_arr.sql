-- CRM companies whose mapped ARR property is empty, or not mapped.
-- grain: one row
-- inputs: raw.crm_companies
SELECT
    count(*) AS total_rows,
    -- an emptied property may come back as an empty text, one never filled as null
    count(*) FILTER (trim(coalesce(arr, '')) = '') AS without_value
FROM raw.crm_companies
