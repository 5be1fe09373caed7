-- Why nothing may be retired on the strength of the last read: its list of requests cannot be trusted to be whole.

-- grain: one reason; key: reason. Empty when requests that are missing from the list are gone
CREATE TABLE raw.withheld_retirements (
    reason VARCHAR NOT NULL
);
