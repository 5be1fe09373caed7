-- Forget the operations of old plans: not of the newest, nor of those under way or waiting.
-- inputs: sync.plans, sync.plan_operations; variable kept_plans
DELETE FROM sync.plan_operations
WHERE
    plan_id NOT IN (
        SELECT plan_id
        FROM sync.plans
        QUALIFY
            status IN ('approved', 'applying')
            OR row_number() OVER (ORDER BY created_at DESC) <= getvariable('kept_plans')
    )
