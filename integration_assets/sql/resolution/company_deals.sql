-- resolved.company_deals: open deals of companies that voted, by number.
-- grain: one company and deal; key: company_no, deal_no
-- inputs: resolved.deals, resolved.company_survivors, resolved.voting_companies
-- A company that was merged away leaves its deals to the survivor.

SELECT DISTINCT
    voting.company_no,
    parts.deal_no
FROM (
    SELECT
        deal_no,
        unnest(company_ids) AS company_id
    FROM resolved.deals
) AS parts
INNER JOIN resolved.company_survivors AS survivors ON parts.company_id = survivors.company_id
INNER JOIN resolved.voting_companies AS voting ON survivors.survivor_id = voting.company_id
