-- grain: one address of CRM contacts; key: address
-- inputs: resolved.contact_addresses, raw.crm_contacts, resolved.company_survivors
-- A primary company that is gone is none.

SELECT
    addresses.address,
    list(DISTINCT survivors.survivor_id ORDER BY survivors.survivor_id) AS company_ids
FROM resolved.contact_addresses AS addresses
INNER JOIN raw.crm_contacts AS contacts ON addresses.contact_id = contacts.contact_id
INNER JOIN resolved.company_survivors AS survivors ON contacts.primary_company_id = survivors.company_id
GROUP BY addresses.address
