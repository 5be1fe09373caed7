-- Texts that are a host nothing special is known of: most of all. Python understands the others one by one.
-- grain: one text; key: text
-- inputs: work_texts (distinct texts), work_plain_tops (top-level domains that are public suffixes, without wildcard),
--     work_special_pairs (last two labels below which a longer suffix, a personal or an own domain may lie)
-- The registrable domain of such a host is its last two labels, and it is nobody's mail service.

WITH hosts AS (
    SELECT
        text,
        regexp_extract(text, '([^.]+\.([^.]+))$', 1) AS pair,
        regexp_extract(text, '([^.]+\.([^.]+))$', 2) AS top
    FROM work_texts
    WHERE
        len(text) <= 253
        AND regexp_full_match(text, '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+')
        -- these have a second spelling, and must be decoded to be checked
        AND NOT contains(text, 'xn--')
)

SELECT
    hosts.text,
    hosts.pair
FROM hosts
SEMI JOIN work_plain_tops AS tops ON hosts.top = tops.top
ANTI JOIN work_special_pairs AS special ON hosts.pair = special.pair
