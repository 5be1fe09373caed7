-- ranked.deals_at_stake (a view): the open deals behind a request: of companies whose people voted for it.
-- grain: one request and deal; key: request_id, deal_id
-- inputs: resolved.company_votes, resolved.company_deals, resolved.deals, resolved.ranked_companies,
--     resolved.ranked_requests
-- amount is in the base currency; null without an amount or a rate: amount_status says which. A deal of several
-- companies is one row, with those of them that voted.

SELECT
    requests.request_id,
    requests.title,
    requests.status,
    deals.deal_id,
    deals.deal_name,
    list(companies.company_id ORDER BY companies.company_id) AS company_ids,
    list(companies.company_name ORDER BY companies.company_id) AS company_names,
    deals.stage,
    deals.close_date,
    deals.amount,
    deals.amount_status,
    deals.own_amount,
    deals.currency
FROM resolved.company_votes AS pairs
INNER JOIN resolved.company_deals AS found ON pairs.company_no = found.company_no
INNER JOIN resolved.deals AS deals ON found.deal_no = deals.deal_no
INNER JOIN resolved.ranked_companies AS companies ON pairs.company_no = companies.company_no
INNER JOIN resolved.ranked_requests AS requests ON pairs.request_no = requests.request_no
GROUP BY ALL
