-- resolved.suspected_mail_providers: domains that a company of the CRM has for its own, and from which people of very
-- many different organisations write. They are no evidence until a person decides.
-- grain: one domain; key: email_domain
-- inputs: work_addresses, resolved.address_hosts, work_host_companies, work_business_domains (which a person decided),
--     raw.voter_accounts, raw.accounts, work_account_companies, work_domain_texts, resolved.contact_addresses,
--     work_contact_companies, work_parents
-- $least_known: least organisations known to be others; $least: least of all organisations
-- Accounts and contacts are judged each by themselves: a CRM may put every contact into the company of its domain, and
-- a feedback system knows nothing of that.

WITH RECURSIVE claims AS (
    SELECT
        hosts.host_no,
        coalesce(hosts.registrable_domain, hosts.host) AS email_domain,
        -- as the evidence of hosts looks for companies: what leads nowhere needs no suspicion
        coalesce(by_host.company_ids, by_domain.company_ids) AS company_ids
    FROM resolved.address_hosts AS hosts
    LEFT JOIN work_host_companies AS by_host ON hosts.host = by_host.host
    LEFT JOIN work_host_companies AS by_domain ON hosts.registrable_domain = by_domain.host
    ANTI JOIN work_business_domains AS decided ON decided.domain IN (hosts.host, hosts.registrable_domain)
    WHERE hosts.kind = 'business' AND coalesce(by_host.company_ids, by_domain.company_ids) IS NOT NULL
),

writers AS (
    SELECT
        addresses.owner_id AS voter_id,
        addresses.address,
        claims.email_domain
    FROM work_addresses AS addresses
    INNER JOIN claims ON addresses.host_no = claims.host_no
    WHERE addresses.owner = 'voter'
),

-- few domains have so many voters: the rest is not looked at
crowds AS (
    SELECT email_domain
    FROM writers
    GROUP BY email_domain
    HAVING count(*) >= $least_known
),

claimants AS (
    SELECT DISTINCT
        claims.email_domain,
        unnest(claims.company_ids) AS company_id
    FROM claims
    SEMI JOIN crowds ON claims.email_domain = crowds.email_domain
),

-- UNION keeps a pair once, which ends the climb in a circle of parents
lines AS (
    SELECT
        company_id,
        parent_id AS ancestor_id
    FROM work_parents
    -- without a crowd the climb through all companies is saved
    WHERE EXISTS (SELECT 1 FROM crowds)
    UNION
    SELECT
        lines.company_id,
        work_parents.parent_id AS ancestor_id
    FROM lines
    INNER JOIN work_parents ON lines.ancestor_id = work_parents.company_id
),

tops AS (
    SELECT
        email_domain,
        company_id
    FROM claimants
    UNION
    SELECT
        claimants.email_domain,
        lines.ancestor_id AS company_id
    FROM claimants
    INNER JOIN lines ON claimants.company_id = lines.company_id
),

-- whoever shares an ancestor with the company of the domain is of its family
family AS (
    SELECT
        email_domain,
        company_id
    FROM tops
    UNION
    SELECT
        tops.email_domain,
        lines.company_id
    FROM tops
    INNER JOIN lines ON tops.company_id = lines.ancestor_id
),

account_domains AS (
    SELECT
        accounts.account_id,
        min(coalesce(texts.registrable_domain, texts.host)) AS account_domain
    FROM raw.accounts AS accounts
    INNER JOIN work_domain_texts AS texts ON accounts.domain = texts.domain_text
    WHERE texts.host IS NOT NULL
    GROUP BY accounts.account_id
),

of_accounts AS (
    SELECT
        'account' AS evidence,
        writers.email_domain,
        writers.voter_id,
        memberships.account_id AS organisation,
        companies.company_ids,
        domains.account_domain
    FROM writers
    SEMI JOIN crowds ON writers.email_domain = crowds.email_domain
    INNER JOIN raw.voter_accounts AS memberships ON writers.voter_id = memberships.voter_id
    -- accounts that lead to no company are organisations as well
    LEFT JOIN work_account_companies AS companies ON memberships.account_id = companies.account_id
    LEFT JOIN account_domains AS domains ON memberships.account_id = domains.account_id
),

of_contacts AS (
    SELECT
        'contact' AS evidence,
        writers.email_domain,
        writers.voter_id,
        NULL AS organisation,
        companies.company_ids,
        NULL AS account_domain
    FROM writers
    SEMI JOIN crowds ON writers.email_domain = crowds.email_domain
    INNER JOIN work_contact_companies AS companies ON writers.address = companies.address
),

found AS (
    FROM of_accounts
    UNION ALL
    FROM of_contacts
),

families AS (
    SELECT
        email_domain,
        list(company_id) AS company_ids
    FROM family
    GROUP BY email_domain
),

affiliations AS (
    SELECT
        found.evidence,
        found.email_domain,
        found.voter_id,
        coalesce(
            -- several accounts of one company or domain are one organisation; what leads nowhere counts by its id
            'company ' || found.company_ids[1], 'domain ' || found.account_domain, 'account ' || found.organisation
        ) AS organisation,
        found.company_ids IS NOT NULL OR found.account_domain IS NOT NULL AS is_known,
        coalesce(found.account_domain = found.email_domain, FALSE)
        OR coalesce(list_has_any(found.company_ids, families.company_ids), FALSE) AS is_home
    FROM found
    LEFT JOIN families ON found.email_domain = families.email_domain
),

voters AS (
    SELECT
        evidence,
        email_domain,
        voter_id,
        -- whoever is at home in one account is no stranger for being a guest in others
        bool_or(is_home) AS is_home
    FROM affiliations
    GROUP BY evidence, email_domain, voter_id
),

counted AS (
    SELECT
        affiliations.evidence,
        affiliations.email_domain,
        count(DISTINCT affiliations.voter_id) FILTER (NOT voters.is_home) AS strangers,
        count(DISTINCT affiliations.voter_id) FILTER (voters.is_home) AS at_home,
        count(DISTINCT affiliations.organisation) FILTER (NOT voters.is_home) AS organisations,
        count(DISTINCT affiliations.organisation) FILTER (NOT voters.is_home AND affiliations.is_known)
            AS known_organisations
    FROM affiliations
    INNER JOIN voters
        ON
            affiliations.evidence = voters.evidence
            AND affiliations.email_domain = voters.email_domain
            AND affiliations.voter_id = voters.voter_id
    GROUP BY affiliations.evidence, affiliations.email_domain
)

SELECT
    email_domain,
    -- by accounts or by contacts: either is enough, and the two are never added up
    max(strangers) AS voters,
    max(organisations) AS organisations
FROM counted
WHERE
    (
        -- never more organisations than strangers: one person in many accounts is no crowd
        least(known_organisations, strangers) >= $least_known
        OR least(organisations, strangers) >= $least
    )
    AND organisations * 2 >= strangers
    -- a fifth of all of them at most: with more at home it is an employer whose people are guests elsewhere
    AND at_home * 4 <= strangers
GROUP BY email_domain
ORDER BY email_domain
