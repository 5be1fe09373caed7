-- where a quarantined record stands in its own system, so that a person can go there
ALTER TABLE sync.quarantine ADD COLUMN url VARCHAR;
