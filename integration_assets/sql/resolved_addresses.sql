-- resolved.addresses: what is known of a voter's address. Personal data: it stays in the staging store.
-- grain: one voter; key: voter_id
-- inputs: work_address_texts, work_hosts (one row per host_text), work_odd_addresses (one row per odd_email)

SELECT
    texts.owner_id AS voter_id,
    CASE
        WHEN texts.host_text IS NULL THEN odd.address
        WHEN hosts.host IS NULL THEN lower(texts.email)
        ELSE lower(split_part(texts.email, '@', 1)) || '@' || hosts.host
    END AS address,
    CASE WHEN texts.host_text IS NULL THEN odd.host ELSE hosts.host END AS host,
    CASE
        WHEN texts.host_text IS NULL THEN odd.registrable_domain ELSE hosts.registrable_domain
    END AS registrable_domain,
    CASE
        WHEN texts.email IS NULL THEN 'none'
        WHEN texts.host_text IS NULL THEN odd.kind
        ELSE hosts.kind
    END AS kind
FROM work_address_texts AS texts
LEFT JOIN work_hosts AS hosts ON texts.host_text = hosts.host_text
LEFT JOIN work_odd_addresses AS odd ON texts.odd_email = odd.email
WHERE texts.owner = 'voter'
