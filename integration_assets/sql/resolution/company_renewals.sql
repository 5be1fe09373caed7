-- resolved.company_renewals: the day on which each company renews, as the CRM says it.
-- grain: one company whose property with the renewal date holds anything; key: company_id
-- inputs: raw.crm_companies
-- renewal_date is null where what is given is no date that can be read without guessing; given is the raw text.
WITH texts AS (
    SELECT
        company_id,
        trim(renewal_date) AS given
    FROM raw.crm_companies
    WHERE trim(renewal_date) != ''
)

SELECT
    company_id,
    given,
    CASE
        -- milliseconds since 1970, as date properties of some systems are; a day is midnight UTC
        -- (twelve digits are rather a day with its time than one before 2001)
        WHEN regexp_full_match(given, '[0-9]{13}') THEN epoch_ms(try_cast(given AS BIGINT))::DATE
        WHEN regexp_full_match(given, '[0-9]{10}') THEN epoch_ms(try_cast(given AS BIGINT) * 1000)::DATE
        WHEN regexp_full_match(given, '[0-9]{8}') THEN try_strptime(given, '%Y%m%d')::DATE
        -- of a time the day as it is written: midnight in a zone of the east would else be the day before
        WHEN
            regexp_full_match(
                given,
                '[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}'
                || '([T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?( ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))?)?',
                'i'
            )
            THEN try_cast(replace(regexp_extract(given, '^[0-9/-]+'), '/', '-') AS DATE)
    END AS renewal_date
FROM texts
