-- Domains that companies have for their own and that look like a mail provider, with what they would count for.
-- grain: one domain; key: email_domain
-- inputs: resolved.suspected_mail_providers, resolved.company_hosts, resolved.company_arr, resolved.votes
WITH companies AS (
    SELECT DISTINCT
        coalesce(hosts.registrable_domain, hosts.host) AS email_domain,
        hosts.company_id,
        arr.arr
    FROM resolved.company_hosts AS hosts
    LEFT JOIN resolved.company_arr AS arr ON hosts.company_id = arr.company_id
),

claimants AS (
    SELECT
        email_domain,
        list(company_id ORDER BY arr DESC NULLS LAST, company_id ASC) AS company_ids,
        sum(arr)::DECIMAL(38, 2) AS arr
    FROM companies
    GROUP BY email_domain
),

votes AS (
    SELECT
        email_domain,
        count(*) AS votes
    FROM resolved.votes
    WHERE reason = 'suspected_mail_provider'
    GROUP BY email_domain
)

SELECT
    suspected.email_domain,
    suspected.voters,
    suspected.organisations,
    claimants.company_ids,
    claimants.arr,
    coalesce(votes.votes, 0) AS votes
FROM resolved.suspected_mail_providers AS suspected
LEFT JOIN claimants ON suspected.email_domain = claimants.email_domain
-- a suspected domain whose people voted for nothing is worth the warning too: it costs its companies later votes
LEFT JOIN votes ON suspected.email_domain = votes.email_domain
ORDER BY votes DESC, suspected.email_domain ASC
