-- ARR that is left out of every total because a currency has no rate, as its source has it.
-- grain: one currency; key: currency
-- inputs: resolved.arr_without_rate
-- A currency with a rate is among them where a company earns in another one as well that has none.
SELECT
    currency,
    has_rate,
    count(DISTINCT company_id) AS companies,
    sum(amount)::DECIMAL(38, 2) AS amount,
    list(DISTINCT company_id ORDER BY company_id) AS company_ids
FROM resolved.arr_without_rate
GROUP BY currency, has_rate
ORDER BY has_rate ASC, companies DESC, currency ASC
