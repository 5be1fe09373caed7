-- grain: one address as a source gave it; key: owner, owner_id, email
-- inputs: raw.voters, raw.voter_accounts, raw.crm_contacts
-- text has to be understood: the host of an address plain enough to be split here, else (odd) the whole address.
-- $own_addresses: normalised addresses of own staff with mail elsewhere, which are never of their host's kind
-- A person known only by a membership is a voter without address.

WITH texts AS (
    SELECT
        'voter' AS owner,
        voter_id AS owner_id,
        email
    FROM raw.voters
    UNION ALL
    SELECT DISTINCT
        'voter' AS owner,
        memberships.voter_id AS owner_id,
        NULL AS email
    FROM raw.voter_accounts AS memberships
    WHERE
        NOT EXISTS (
            SELECT 1 FROM raw.voters AS voters
            WHERE voters.voter_id = memberships.voter_id
        )
    UNION ALL
    SELECT
        'contact' AS owner,
        contact_id AS owner_id,
        email
    FROM raw.crm_contacts
    UNION ALL
    SELECT
        'contact' AS owner,
        contact_id AS owner_id,
        unnest(additional_emails) AS email
    FROM raw.crm_contacts
),

looked_at AS (
    SELECT
        owner,
        owner_id,
        email,
        -- null without an address: neither plain nor odd, and no text to understand
        NOT regexp_full_match(email, $plain_address)
        -- a final dot is the one thing that two spellings of a plain address may differ by, case apart
        OR list_contains($own_addresses::VARCHAR[], rtrim(lower(email), '.')) AS odd
    FROM texts
)

SELECT
    owner,
    owner_id,
    email,
    odd,
    CASE WHEN odd THEN email ELSE lower(split_part(email, '@', 2)) END AS text
FROM looked_at
