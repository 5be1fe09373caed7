-- What a long read of votes has read so far, so that the run after one that was killed goes on where it was.

-- grain: some pages of one list of votes; key: part. Empty but while votes are read whole, and after a run that died.
CREATE TABLE raw.vote_pages (
    part BIGINT,              -- order of reading
    credential VARCHAR,       -- digest of address and key
    read_at TIMESTAMP,
    cursor VARCHAR,           -- where the list goes on
    pages BLOB                -- the pages as JSON, compressed; addresses never leave the staging store
);
