-- resolved.ranked_companies: what the rankings say of a company, as it was when they were made.
-- grain: one company that voted; key: company_no
-- inputs: resolved.voting_companies, resolved.company_arr, resolved.company_hosts, resolved.company_renewals,
--     raw.crm_companies, raw.crm_owners
-- $customer_stages, $prospect_stages: what the CRM calls customers and prospects, in lower case
-- $owner_addresses: what stands for owners and holds an e-mail address
-- arr is in the base currency, null without a figure or a rate: arr_status says which (known, no_figure, no_rate).
-- domain is the cleaned primary domain, null where it is no host.
-- lifecycle (customer, prospect, unknown) is what the CRM says, whatever the company pays; is_customer takes ARR too.

WITH primary_hosts AS (
    SELECT
        company_id,
        min(host) AS domain
    FROM resolved.company_hosts
    WHERE origin = 'domain'
    GROUP BY company_id
),

-- by stage and not by company: few stages are compared with the lists
stages AS (
    SELECT DISTINCT
        lifecycle_stage,
        lower(trim(lifecycle_stage)) AS stage
    FROM raw.crm_companies
),

named_stages AS (
    SELECT
        unnest($customer_stages::VARCHAR[]) AS stage,
        'customer' AS lifecycle
    UNION ALL
    SELECT
        unnest($prospect_stages::VARCHAR[]) AS stage,
        'prospect' AS lifecycle
),

lifecycles AS (
    SELECT
        stages.lifecycle_stage,
        -- of two that fit, the one that says more
        arg_max(named_stages.lifecycle, len(named_stages.stage)) AS lifecycle
    FROM stages
    -- "customer - direct" is a kind of customer, and "customerless" is none
    INNER JOIN named_stages
        ON stages.stage = named_stages.stage OR starts_with(stages.stage, named_stages.stage || ' ')
    GROUP BY stages.lifecycle_stage
),

owner_addresses AS (
    SELECT DISTINCT unnest($owner_addresses::VARCHAR[]) AS address
)

SELECT
    voting.company_no,
    voting.company_id,
    companies.name AS company_name,
    primary_hosts.domain,
    arr.arr,
    CASE WHEN arr.arr IS NOT NULL THEN 'known' WHEN arr.problem = 'no_rate' THEN 'no_rate' ELSE 'no_figure' END
        AS arr_status,
    -- a figure without a rate is above zero: zero needs none
    coalesce(
        lifecycles.lifecycle = 'customer' OR arr.arr > 0 OR arr.amount > 0 OR arr.problem = 'no_rate', FALSE
    ) AS is_customer,
    nullif(trim(companies.lifecycle_stage), '') AS lifecycle_stage,
    coalesce(lifecycles.lifecycle, 'unknown') AS lifecycle,
    -- digits are the id of an owner whose name is not known, or is an address; a name of its own stays as it is
    coalesce(
        CASE WHEN named_by.address IS NULL THEN owners.name END,
        CASE WHEN regexp_full_match(trim(companies.owner), '[0-9]+') THEN 'owner ' || trim(companies.owner) END,
        -- without an id a code of the address: published as `[address]`, all such owners would be one
        'owner ' || left(sha256(lower(held_by.address)), 8),
        nullif(trim(companies.owner), '')
    ) AS owner,
    renewals.renewal_date
FROM resolved.voting_companies AS voting
LEFT JOIN raw.crm_companies AS companies ON voting.company_id = companies.company_id
LEFT JOIN lifecycles ON companies.lifecycle_stage = lifecycles.lifecycle_stage
LEFT JOIN raw.crm_owners AS owners ON trim(companies.owner) = owners.owner_id
LEFT JOIN owner_addresses AS named_by ON owners.name = named_by.address
LEFT JOIN owner_addresses AS held_by ON trim(companies.owner) = held_by.address
LEFT JOIN resolved.company_renewals AS renewals ON voting.company_id = renewals.company_id
LEFT JOIN resolved.company_arr AS arr ON voting.company_id = arr.company_id
LEFT JOIN primary_hosts ON voting.company_id = primary_hosts.company_id
