-- Votes lost, by domain, as a terminal shows them: first those that a mapping mends.
-- grain: one domain and reason; key: email_domain, reason
-- inputs: ranked.unresolved_votes, ranked.crm_companies; parameter 1: most rows
WITH shown AS (
    SELECT
        *,
        row_number() OVER (
            ORDER BY
                -- personal mail and people without an address are for nobody to map, however many they are
                email_domain IS NULL OR reason NOT IN (
                    'unknown_domain', 'ambiguous_domain', 'ambiguous_account', 'suspected_mail_provider'
                ),
                votes DESC,
                email_domain ASC,
                reason ASC
        ) AS place
    FROM ranked.unresolved_votes
    QUALIFY place <= $1
),

members AS (
    SELECT
        place,
        unnest(candidate_company_ids) AS company_id,
        generate_subscripts(candidate_company_ids, 1) AS member
    FROM shown
),

candidates AS (
    SELECT
        members.place,
        list(
            -- the name for people, the id for the mapping
            coalesce(
                coalesce(companies.company_name, companies.domain) || ' (' || members.company_id || ')',
                members.company_id
            )
            ORDER BY members.member
        ) AS names
    FROM members
    LEFT JOIN ranked.crm_companies AS companies ON members.company_id = companies.company_id
    GROUP BY members.place
)

SELECT
    shown.email_domain,
    shown.reason,
    shown.votes,
    shown.requests,
    coalesce(candidates.names, []) AS candidates
FROM shown
LEFT JOIN candidates ON shown.place = candidates.place
ORDER BY shown.place
