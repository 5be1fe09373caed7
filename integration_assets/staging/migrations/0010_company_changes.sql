-- From when on changed companies are asked for, so that not all of them have to be read.

-- grain: the companies of this store; at most one row
CREATE TABLE raw.company_reads (
    source VARCHAR,           -- digest of portal, mapped properties and version: another one is read whole
    whole_at TIMESTAMP,       -- when they were last read whole
    changes_from TIMESTAMP,   -- what was changed from then on may be missing
    archived BIGINT           -- archived companies at the last read that counted them, null before it
);
