-- Votes and pairs are kept by number; what was kept in ids and texts is a view on that now, made by the next run.

DROP TABLE IF EXISTS resolved.votes;
DROP TABLE IF EXISTS resolved.addresses;
DROP TABLE IF EXISTS ranked.company_requests;
DROP TABLE IF EXISTS ranked.why;
