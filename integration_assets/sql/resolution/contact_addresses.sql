-- resolved.contact_addresses: the addresses of CRM contacts, normalised as those of voters are. Personal data: it stays
-- in the staging store.
-- grain: one address of one contact; key: contact_id, address
-- inputs: work_addresses
-- Matching and linking both join on it: they can never take two spellings of one address differently.

SELECT DISTINCT
    owner_id AS contact_id,
    address
FROM work_addresses
WHERE owner = 'contact' AND contains(address, '@')
