-- resolved.votes (a view), asset domain_resolved_votes: the company of every counted vote, or why there is none.
-- grain: one counted vote; key: vote_id
-- inputs: resolved.counted_votes, resolved.requests, resolved.voters, resolved.voting_companies, resolved.address_hosts

SELECT
    votes.vote_id,
    requests.request_id,
    coalesce(voters.voter_id, votes.stranger_id) AS voter_id,
    votes.created_at,
    companies.company_id,
    voters.match_method,
    -- whoever is gone has no address any more, and no row to hold a reason
    CASE WHEN voters.voter_no IS NULL THEN 'no_email' ELSE voters.reason END AS reason,
    coalesce(hosts.registrable_domain, hosts.host) AS email_domain,
    coalesce(voters.candidate_company_ids, []::VARCHAR[]) AS candidate_company_ids
FROM resolved.counted_votes AS votes
INNER JOIN resolved.requests AS requests ON votes.request_no = requests.request_no
LEFT JOIN resolved.voters AS voters ON votes.voter_no = voters.voter_no
LEFT JOIN resolved.voting_companies AS companies ON voters.company_no = companies.company_no
LEFT JOIN resolved.address_hosts AS hosts ON voters.host_no = hosts.host_no
