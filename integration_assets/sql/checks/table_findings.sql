-- What one run found odd about the tables that requests and votes are read from.
-- grain: one finding; key: kind, line
-- inputs: ops.table_findings; parameter 1: run id; parameter 2: kinds
SELECT
    kind,
    line
FROM ops.table_findings
WHERE run_id = $1 AND list_contains($2, kind)
ORDER BY
    kind ASC,
    line ASC
