-- The labels that should be between our records and companies and contacts.
-- grain: one label on one pair; key: key, target, target_id, label
-- inputs: temp plan_records, resolved.votes, raw.feature_requests, raw.voters, raw.crm_contacts;
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
    -- a display form such as "Name <a@b.example>" is reduced to its address
    SELECT DISTINCT
        voters.voter_id,
        addresses.contact_id
    FROM raw.voters AS voters
    INNER JOIN addresses
        ON
            addresses.address
            = lower(trim(coalesce(nullif(regexp_extract(voters.email, '<([^<>]*)>\s*$', 1), ''), voters.email)))
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
