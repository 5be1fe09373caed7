-- The labels that should be between our records and companies and contacts. Where a portal has none, one plain link
-- says that they belong together, and not why.
-- grain: one label on one pair; key: key, target, target_id, label
-- inputs: temp plan_records, resolved.votes, resolved.addresses, resolved.contact_addresses,
-- raw.feature_requests; variables link_contacts, unlabelled
WITH people AS (
    SELECT DISTINCT
        voters.voter_id,
        contacts.contact_id
    FROM resolved.addresses AS voters
    INNER JOIN resolved.contact_addresses AS contacts ON voters.address = contacts.address
    WHERE getvariable('link_contacts')
)

SELECT DISTINCT
    plan_records.key,
    'company' AS target,
    votes.company_id AS target_id,
    if(getvariable('unlabelled'), 'plain', 'voted') AS label
FROM resolved.votes AS votes
INNER JOIN plan_records ON votes.request_id = plan_records.request_id
WHERE votes.company_id IS NOT NULL
UNION
SELECT DISTINCT
    plan_records.key,
    'contact' AS target,
    people.contact_id AS target_id,
    if(getvariable('unlabelled'), 'plain', 'voter') AS label
FROM resolved.votes AS votes
INNER JOIN plan_records ON votes.request_id = plan_records.request_id
INNER JOIN people ON votes.voter_id = people.voter_id
UNION
SELECT DISTINCT
    plan_records.key,
    'contact' AS target,
    people.contact_id AS target_id,
    if(getvariable('unlabelled'), 'plain', 'author') AS label
FROM raw.feature_requests AS requests
INNER JOIN plan_records ON requests.request_id = plan_records.request_id
INNER JOIN people ON requests.author_id = people.voter_id
