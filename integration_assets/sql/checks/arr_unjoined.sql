-- Revenue figures above zero that belong to no company of the CRM, or to nobody knows which.
-- grain: one source, reason and currency; key: source, reason, currency
-- inputs: resolved.arr_unjoined
-- currency is null where the source states none. Amounts of two currencies are never added.
SELECT
    source,
    reason,
    nullif(upper(trim(currency)), '') AS currency,
    count(*) AS figures,
    -- a figure that is no number is reported on its own, and adds nothing here
    coalesce(sum(try_cast(figure AS DECIMAL(38, 2))), 0)::DECIMAL(38, 2) AS amount,
    list(id ORDER BY id) AS ids
FROM resolved.arr_unjoined
WHERE try_cast(figure AS DOUBLE) > 0
GROUP BY ALL
ORDER BY source ASC, reason ASC, currency ASC
