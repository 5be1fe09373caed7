-- Who asked for requests that shipped since a moment, with the addresses by which they can be told. Personal data.
-- grain: one person of one request; key: request_id, voter_id
-- inputs: ranked.feature_requests, resolved.votes, ranked.companies, raw.voters
-- $since: UTC. Of the staging store alone. Own staff are left out: they know.
SELECT DISTINCT
    requests.request_id,
    requests.title,
    requests.url,
    companies.company_id,
    companies.company_name,
    companies.owner,
    nullif(trim(voters.email), '') AS email,
    votes.voter_id
FROM ranked.feature_requests AS requests
INNER JOIN resolved.votes AS votes ON requests.request_id = votes.request_id
LEFT JOIN ranked.companies AS companies ON votes.company_id = companies.company_id
LEFT JOIN raw.voters AS voters ON votes.voter_id = voters.voter_id
WHERE
    requests.status = 'complete'
    AND requests.status_changed_at >= $since::TIMESTAMP
    AND votes.reason IS DISTINCT FROM 'own_staff'
ORDER BY
    requests.title ASC, requests.request_id ASC, companies.company_name ASC NULLS LAST,
    companies.company_id ASC NULLS LAST, email ASC NULLS LAST, votes.voter_id ASC
