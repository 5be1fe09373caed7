-- The moments the ranking was kept at, oldest first.
-- grain: one snapshot; key: as_of
-- inputs: ranked.rank_history
SELECT DISTINCT as_of
FROM ranked.rank_history
ORDER BY as_of
