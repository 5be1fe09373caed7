-- A value that both sides came to share without a write is newer than the record's `managed_state`.

-- What `managed_state` said of the field when the value was learnt; null where it was written and says the same.
ALTER TABLE sync.field_bases ADD COLUMN state_digest VARCHAR;

-- Values agreed before this column existed differ from the state that was written last.
UPDATE sync.field_bases
SET state_digest = regexp_extract(written.state, '(^| )' || field_bases.field || ':([0-9a-f]{6})', 2)
FROM (
    SELECT
        portal_id,
        key,
        arg_max(after_values['managed_state'], ledger_id) AS state
    FROM sync.ledger
    WHERE outcome = 'verified' AND after_values['managed_state'] IS NOT NULL
    GROUP BY portal_id, key
) AS written
WHERE
    field_bases.portal_id = written.portal_id
    AND field_bases.key = written.key
    AND regexp_extract(written.state, '(^| )' || field_bases.field || ':([0-9a-f]{6})', 2)
    NOT IN ('', left(sha256(field_bases.value), 6));
