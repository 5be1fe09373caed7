-- What a run could not use or write, by reason, with the first three records of each, and the votes on requests among
-- them: nobody could count those either.
-- grain: one reason of one kind of record of one stage, and of one source of ARR; key: stage, kind, source, reason
-- inputs: sync.quarantine, raw.votes; parameters: run_id, most (groups)
WITH votes_on AS (
    SELECT
        votes.request_id,
        count(*) AS votes
    FROM raw.votes AS votes
    SEMI JOIN sync.quarantine AS met
        ON votes.request_id = met.key AND met.run_id = $run_id AND met.stage = 'raw_feature_requests'
    GROUP BY votes.request_id
),

records AS (
    SELECT DISTINCT
        quarantine.stage,
        quarantine.kind,
        CASE WHEN quarantine.kind = 'arr' THEN split_part(quarantine.key, ':', 1) END AS source,
        quarantine.reason,
        quarantine.key,
        quarantine.url,
        CASE WHEN quarantine.stage = 'raw_feature_requests' THEN coalesce(votes_on.votes, 0) ELSE 0 END AS votes
    FROM sync.quarantine AS quarantine
    LEFT JOIN votes_on ON quarantine.key = votes_on.request_id
    WHERE quarantine.run_id = $run_id
),

numbered AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY stage, kind, source, reason ORDER BY votes DESC, trim(coalesce(key, '')) = '', key ASC
        ) AS place
    FROM records
)

SELECT
    stage,
    kind,
    source,
    reason,
    count(DISTINCT key) AS records,
    sum(votes)::BIGINT AS votes,
    list({ 'key': coalesce(key, ''), 'url': url, 'votes': votes } ORDER BY place) FILTER (place <= 3) AS examples
FROM numbered
GROUP BY stage, kind, source, reason
ORDER BY records DESC, stage ASC, kind ASC, source ASC, reason ASC
LIMIT $most
