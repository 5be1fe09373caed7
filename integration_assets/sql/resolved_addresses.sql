-- resolved.addresses: what is known of a voter's address. Personal data: it stays in the staging store.
-- grain: one voter; key: voter_id
-- inputs: work_addresses

SELECT
    owner_id AS voter_id,
    address,
    host,
    registrable_domain,
    kind
FROM work_addresses
WHERE owner = 'voter'
