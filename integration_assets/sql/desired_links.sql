-- The labels that should be between our records and companies and contacts.
-- grain: one label on one pair; key: key, target, target_id, label
-- inputs: temp plan_records, resolved.votes, resolved.addresses, raw.feature_requests, raw.crm_contacts;
-- variable link_contacts
WITH addresses AS (
    SELECT
        contact_id,
        lower(trim(email)) AS address
    FROM raw.crm_contacts
    WHERE email IS NOT NULL
    UNION
    SELECT
        contact_id,
        lower(trim(unnest(additional_emails))) AS address
    FROM raw.crm_contacts
),

people AS (
    SELECT DISTINCT
        voters.voter_id,
        addresses.contact_id
    FROM resolved.addresses AS voters
    INNER JOIN addresses ON voters.address = addresses.address
    WHERE getvariable('link_contacts')
)

SELECT DISTINCT
    plan_records.key,
    'company' AS target,
    votes.company_id AS target_id,
    'voted' AS label
FROM resolved.votes AS votes
INNER JOIN plan_records ON votes.request_id = plan_records.request_id
WHERE votes.company_id IS NOT NULL
UNION ALL
SELECT DISTINCT
    plan_records.key,
    'contact' AS target,
    people.contact_id AS target_id,
    'voter' AS label
FROM resolved.votes AS votes
INNER JOIN plan_records ON votes.request_id = plan_records.request_id
INNER JOIN people ON votes.voter_id = people.voter_id
UNION ALL
SELECT DISTINCT
    plan_records.key,
    'contact' AS target,
    people.contact_id AS target_id,
    'author' AS label
FROM raw.feature_requests AS requests
INNER JOIN plan_records ON requests.request_id = plan_records.request_id
INNER JOIN people ON requests.author_id = people.voter_id
