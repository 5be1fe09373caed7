-- Companies whose renewal date cannot be read.
-- grain: one company; key: company_id
-- inputs: resolved.company_renewals
SELECT
    company_id,
    given
FROM resolved.company_renewals
WHERE renewal_date IS NULL
ORDER BY company_id
