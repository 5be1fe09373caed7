-- Forget the companies of old plans: not of the newest, nor of those under way or waiting, nor of any that
-- may still be approved, nor of the last good ones.
-- inputs: sync.plans, sync.baselines, sync.plan_companies; variables kept_plans, approvable_since
DELETE FROM sync.plan_companies
WHERE
    plan_id NOT IN (
        SELECT plan_id
        FROM sync.plans
        QUALIFY
            status IN ('approved', 'applying')
            OR created_at >= getvariable('approvable_since')
            OR row_number() OVER (ORDER BY created_at DESC) <= getvariable('kept_plans')
    )
    AND plan_id NOT IN (
        SELECT plan_id
        FROM sync.baselines
        QUALIFY row_number() OVER (PARTITION BY portal_id ORDER BY recorded_at DESC) = 1
    )
