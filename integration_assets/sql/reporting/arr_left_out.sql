-- ARR of companies that voted which no rate converts, as its source has it.
-- grain: one currency; key: currency
-- inputs: resolved.arr_without_rate, ranked.companies
SELECT
    left_out.currency,
    sum(left_out.amount)::DECIMAL(38, 2) AS amount,
    count(DISTINCT left_out.company_id) AS companies
FROM resolved.arr_without_rate AS left_out
SEMI JOIN ranked.companies AS companies ON left_out.company_id = companies.company_id
GROUP BY left_out.currency
ORDER BY companies DESC, left_out.currency ASC
