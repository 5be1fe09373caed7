-- How many requests a list of open ones leaves out: shipped, closed or merged into another.
-- grain: one row
-- inputs: ranked.feature_requests
SELECT count(*) FILTER (NOT is_open) AS closed
FROM ranked.feature_requests
