-- Open deals of companies that voted whose amount no rate converts.
-- grain: one currency; key: currency
-- inputs: resolved.deals, resolved.company_deals
SELECT
    currency,
    count(*) AS deals,
    sum(own_amount)::DECIMAL(38, 2) AS amount,
    list(deal_id ORDER BY deal_id) AS deal_ids
FROM resolved.deals
WHERE amount_status = 'no_rate' AND deal_no IN (SELECT found.deal_no FROM resolved.company_deals AS found)
GROUP BY currency
ORDER BY deals DESC, currency ASC
