-- Companies that counted votes count for, those with an ARR in the base currency, and those that lack only a rate.
-- grain: one row
-- inputs: resolved.votes, resolved.company_arr
WITH voting AS (
    SELECT DISTINCT company_id
    FROM resolved.votes
    WHERE company_id IS NOT NULL
)

SELECT
    count(*) AS companies,
    count(arr.arr) AS with_arr,
    count(*) FILTER (coalesce(arr.problem = 'no_rate', FALSE)) AS without_rate
FROM voting
LEFT JOIN resolved.company_arr AS arr ON voting.company_id = arr.company_id
