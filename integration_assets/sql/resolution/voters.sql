-- resolved.voters: the company of every person, or why there is none.
-- grain: one person with an address, a membership, or neither; key: voter_no, and voter_id
-- inputs: work_voter_companies, resolved.voting_companies
-- candidate_company_ids: companies between which nothing decided, null where there were not several.

SELECT
    row_number() OVER ()::INTEGER AS voter_no,
    voters.voter_id,
    voters.host_no,
    companies.company_no,
    voters.match_method,
    voters.reason,
    voters.candidate_company_ids
FROM work_voter_companies AS voters
LEFT JOIN resolved.voting_companies AS companies ON voters.company_id = companies.company_id
