-- Forget the operations of old plans: not of the newest, nor of those under way or waiting, nor of any that
-- may still be approved.
-- inputs: sync.plans, sync.plan_operations; variables kept_plans, approvable_since
DELETE FROM sync.plan_operations
WHERE
    plan_id NOT IN (
        SELECT plan_id
        FROM sync.plans
        QUALIFY
            status IN ('approved', 'applying')
            OR created_at >= getvariable('approvable_since')
            OR row_number() OVER (ORDER BY created_at DESC) <= getvariable('kept_plans')
    )
