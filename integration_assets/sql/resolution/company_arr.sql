-- resolved.company_arr: the ARR of every company, from the first source that has it.
-- grain: one live company; key: company_id
-- inputs: resolved.company_survivors, work_company_revenues
-- arr is in the base currency; null without a figure, or without a rate (problem no_rate). amount and currency are as
-- the source has them.

SELECT
    companies.company_id,
    revenues.arr::DECIMAL(38, 2) AS arr,
    revenues.source::VARCHAR AS source,
    revenues.currency::VARCHAR AS currency,
    revenues.amount::DECIMAL(38, 2) AS amount,
    revenues.problem::VARCHAR AS problem
FROM resolved.company_survivors AS companies
LEFT JOIN work_company_revenues AS revenues ON companies.company_id = revenues.company_id
-- one row per live company: merged-away ids are in the table of survivors as well
WHERE companies.company_id = companies.survivor_id
ORDER BY companies.company_id
