-- Open deals behind one request, or behind any open one; the largest first.
-- grain: one deal; key: deal_id
-- inputs: ranked.deals_at_stake, ranked.feature_requests
-- $request_id: the only request, NULL for all that are open; $most_rows
WITH behind AS (
    SELECT deals.*
    FROM ranked.deals_at_stake AS deals
    INNER JOIN ranked.feature_requests AS requests ON deals.request_id = requests.request_id
    WHERE deals.request_id = coalesce($request_id, deals.request_id) AND (requests.is_open OR $request_id IS NOT NULL)
)

SELECT
    deal_id,
    any_value(deal_name) AS deal_name,
    list_sort(list_distinct(flatten(list(list_transform(
        list_zip(company_ids, company_names), LAMBDA pair: coalesce(pair[2], pair[1])
    ))))) AS companies,
    any_value(stage) AS stage,
    any_value(close_date) AS close_date,
    any_value(amount) AS amount,
    any_value(amount_status) AS amount_status,
    any_value(own_amount) AS own_amount,
    any_value(currency) AS currency,
    count(*) AS requests
FROM behind
GROUP BY deal_id
ORDER BY amount DESC NULLS LAST, close_date ASC NULLS LAST, deal_id ASC
LIMIT $most_rows
