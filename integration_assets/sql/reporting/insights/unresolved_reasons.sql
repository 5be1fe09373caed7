-- Votes lost, by reason; those that a mapping of a domain mends come first.
-- grain: one reason, with and without a domain; key: reason, is_mappable
-- inputs: ranked.unresolved_votes
SELECT
    reason,
    count(email_domain) AS domains,
    sum(votes)::BIGINT AS votes,
    email_domain IS NOT NULL
    AND reason IN ('unknown_domain', 'ambiguous_domain', 'ambiguous_account', 'suspected_mail_provider')
        AS is_mappable
FROM ranked.unresolved_votes
GROUP BY ALL
ORDER BY is_mappable DESC, votes DESC, reason ASC
