-- A value that both sides came to share without a write is newer than the record's `managed_state`.

-- What `managed_state` said of the field when the value was learnt; null where it was written and says the same.
ALTER TABLE sync.field_bases ADD COLUMN state_digest VARCHAR;

-- Values agreed before this column existed differ from the state that was written last.
UPDATE sync.field_bases
SET state_digest = written.state_digest
FROM (
    SELECT
        bases.portal_id,
        bases.key,
        bases.field,
        regexp_extract(last_states.state, '(^| )' || bases.field || ':([0-9a-f]{6})', 2) AS state_digest
    FROM sync.field_bases AS bases
    INNER JOIN (
        SELECT
            portal_id,
            key,
            arg_max(after_values['managed_state'], ledger_id) AS state
        FROM sync.ledger
        WHERE outcome = 'verified' AND after_values['managed_state'] IS NOT NULL
        GROUP BY portal_id, key
    ) AS last_states
        ON bases.portal_id = last_states.portal_id AND bases.key = last_states.key
) AS written
WHERE
    field_bases.portal_id = written.portal_id
    AND field_bases.key = written.key
    AND field_bases.field = written.field
    AND written.state_digest <> ''
    AND written.state_digest <> left(sha256(field_bases.value), 6);
