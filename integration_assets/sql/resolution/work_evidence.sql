-- grain: one voter; key: voter_id
-- inputs: work_addresses, work_override_companies, work_contact_companies, work_host_evidence, work_voter_accounts
-- company_ids is what the first step that finds anything found; steps by domain are for business addresses only, and
-- no step is for the tenant's own staff.

WITH keys AS (
    SELECT
        owner_id AS voter_id,
        host_no,
        kind,
        -- a malformed address may still be the same as one in the CRM; a text like 'n/a' is nobody's
        CASE WHEN kind <> 'own' AND contains(address, '@') THEN address END AS address,
        CASE WHEN kind <> 'own' THEN owner_id END AS member_id
    FROM work_addresses
    WHERE owner = 'voter'
),

found AS (
    SELECT
        keys.voter_id,
        keys.host_no,
        keys.kind,
        accounts.company_ids AS account_company_ids,
        -- the mapping of one person beats that of the whole domain
        coalesce(mapped_address.company_ids, hosts.by_override) AS by_override,
        -- where a domain is suspected, a CRM that puts each contact into the company of its domain says nothing new
        CASE
            WHEN hosts.suspected_ids IS NULL OR NOT list_has_all(hosts.suspected_ids, contacts.company_ids)
                THEN contacts.company_ids
        END AS by_contact,
        hosts.by_domain,
        hosts.domain_method,
        hosts.suspected_ids,
        hosts.personal_ids
    FROM keys
    LEFT JOIN work_override_companies AS mapped_address ON keys.address = mapped_address.match
    LEFT JOIN work_contact_companies AS contacts ON keys.address = contacts.address
    LEFT JOIN work_host_evidence AS hosts ON keys.host_no = hosts.host_no
    LEFT JOIN work_voter_accounts AS accounts ON keys.member_id = accounts.voter_id
)

SELECT
    voter_id,
    host_no,
    kind,
    account_company_ids,
    suspected_ids,
    personal_ids,
    -- a person's word, then the CRM's own record of this person, then the domain; an account says least of an employer
    coalesce(by_override, by_contact, by_domain, account_company_ids) AS company_ids,
    CASE
        WHEN by_override IS NOT NULL THEN 'override'
        WHEN by_contact IS NOT NULL THEN 'contact'
        WHEN by_domain IS NOT NULL THEN domain_method
        WHEN account_company_ids IS NOT NULL THEN 'account'
    END AS match_method
FROM found
