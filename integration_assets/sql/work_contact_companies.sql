-- grain: one address of CRM contacts; key: address
-- inputs: work_address_texts, work_hosts, work_odd_addresses, raw.crm_contacts, resolved.company_survivors
-- A primary company that is gone is none.

WITH addresses AS (
    SELECT
        texts.owner_id AS contact_id,
        CASE
            WHEN texts.host_text IS NULL THEN odd.address
            ELSE lower(split_part(texts.email, '@', 1)) || '@' || coalesce(hosts.host, texts.host_text)
        END AS address
    FROM work_address_texts AS texts
    LEFT JOIN work_hosts AS hosts ON texts.host_text = hosts.host_text
    LEFT JOIN work_odd_addresses AS odd ON texts.odd_email = odd.email
    WHERE texts.owner = 'contact' AND texts.email IS NOT NULL
)

SELECT
    addresses.address,
    list(DISTINCT survivors.survivor_id ORDER BY survivors.survivor_id) AS company_ids
FROM addresses
INNER JOIN raw.crm_contacts AS contacts ON addresses.contact_id = contacts.contact_id
INNER JOIN resolved.company_survivors AS survivors ON contacts.primary_company_id = survivors.company_id
GROUP BY addresses.address
