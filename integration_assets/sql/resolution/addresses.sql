-- resolved.addresses (a view): what is known of a voter's address. Personal data: it stays in the staging store.
-- grain: one voter; key: voter_id
-- inputs: resolved.voters, resolved.address_hosts, raw.voters

SELECT
    voters.voter_id,
    CASE
        WHEN hosts.odd THEN hosts.address
        -- a plain address whose host is none: malformed, and kept as it was written
        WHEN hosts.host IS NULL THEN lower(people.email)
        ELSE lower(split_part(people.email, '@', 1)) || '@' || hosts.host
    END AS address,
    hosts.host,
    hosts.registrable_domain,
    coalesce(hosts.kind, 'none') AS kind
FROM resolved.voters AS voters
LEFT JOIN resolved.address_hosts AS hosts ON voters.host_no = hosts.host_no
LEFT JOIN raw.voters AS people ON voters.voter_id = people.voter_id
