-- grain: one voter; key: voter_id
-- inputs: work_evidence, work_ties
-- Of several companies: the one the voter's account points to, else the winner of the tie, else nobody.
-- candidate_company_ids: companies between which nothing decided, else those that have a suspected or a personal mail
-- domain for their own.

WITH pointed AS (
    SELECT
        voter_id,
        host_no,
        kind,
        match_method,
        company_ids,
        suspected_ids,
        personal_ids,
        CASE
            -- where the accounts themselves found several, they cannot decide between them
            WHEN len(company_ids) > 1 AND match_method <> 'account'
                THEN list_intersect(company_ids, account_company_ids)
        END AS pointed_ids
    FROM work_evidence
),

decided AS (
    SELECT
        pointed.voter_id,
        pointed.host_no,
        pointed.kind,
        pointed.match_method,
        pointed.company_ids,
        pointed.suspected_ids,
        pointed.personal_ids,
        CASE
            -- what concerns this one voter comes before what holds for everybody of the same set
            WHEN len(pointed.company_ids) = 1 THEN pointed.company_ids[1]
            WHEN len(pointed.pointed_ids) = 1 THEN pointed.pointed_ids[1]
            ELSE ties.winner_id
        END AS company_id
    FROM pointed
    LEFT JOIN work_ties AS ties ON pointed.company_ids = ties.company_ids
)

SELECT
    voter_id,
    host_no,
    company_id,
    CASE WHEN company_id IS NOT NULL THEN match_method END AS match_method,
    CASE
        -- first, as own staff never have a company
        WHEN kind = 'own' THEN 'own_staff'
        WHEN company_id IS NOT NULL THEN NULL
        -- a method without a company: evidence there was, and it named several
        WHEN match_method = 'account' THEN 'ambiguous_account'
        WHEN match_method IS NOT NULL THEN 'ambiguous_domain'
        WHEN kind = 'none' THEN 'no_email'
        WHEN kind = 'malformed' THEN 'malformed_email'
        WHEN kind = 'personal' THEN 'personal_email'
        -- before the unknown domain: this one a person can decide on
        WHEN suspected_ids IS NOT NULL THEN 'suspected_mail_provider'
        ELSE 'unknown_domain'
    END AS reason,
    CASE WHEN company_id IS NULL THEN coalesce(company_ids, suspected_ids, personal_ids) END AS candidate_company_ids
FROM decided
