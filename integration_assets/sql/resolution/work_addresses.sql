-- grain: one address as a source gave it; key: owner, owner_id, email
-- inputs: work_address_texts, resolved.address_hosts
-- host_no is null without an address.

SELECT
    texts.owner,
    texts.owner_id,
    texts.email,
    hosts.host_no,
    coalesce(hosts.kind, 'none') AS kind,
    CASE
        WHEN texts.odd THEN hosts.address
        -- a plain address whose host is none: malformed, and kept as it was written
        WHEN hosts.host IS NULL THEN lower(texts.email)
        ELSE lower(split_part(texts.email, '@', 1)) || '@' || hosts.host
    END AS address
FROM work_address_texts AS texts
LEFT JOIN resolved.address_hosts AS hosts ON texts.text = hosts.text AND texts.odd = hosts.odd
