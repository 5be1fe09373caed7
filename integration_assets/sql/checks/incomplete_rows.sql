-- Rows without their key, or a request without title.
-- grain: one input; key: asset
-- inputs: raw.feature_requests, raw.votes, raw.crm_companies, raw.crm_contacts, raw.crm_feature_requests
SELECT
    'raw_feature_requests' AS asset,
    count(*) AS total_rows,
    count(*) FILTER (
        trim(coalesce(request_id, '')) = '' OR trim(coalesce(title, '')) = ''
    ) AS incomplete
FROM raw.feature_requests
UNION ALL
SELECT
    'raw_votes' AS asset,
    count(*) AS total_rows,
    count(*) FILTER (
        trim(coalesce(vote_id, '')) = '' OR trim(coalesce(request_id, '')) = ''
    ) AS incomplete
FROM raw.votes
UNION ALL
SELECT
    'raw_crm_companies' AS asset,
    count(*) AS total_rows,
    count(*) FILTER (trim(coalesce(company_id, '')) = '') AS incomplete
FROM raw.crm_companies
UNION ALL
SELECT
    'raw_crm_contacts' AS asset,
    count(*) AS total_rows,
    count(*) FILTER (trim(coalesce(contact_id, '')) = '') AS incomplete
FROM raw.crm_contacts
UNION ALL
-- a record of ours without our key was made by hand: it is not touched, and no reason to stop
SELECT
    'raw_crm_feature_requests' AS asset,
    count(*) AS total_rows,
    count(*) FILTER (trim(coalesce(record_id, '')) = '') AS incomplete
FROM raw.crm_feature_requests
ORDER BY asset
