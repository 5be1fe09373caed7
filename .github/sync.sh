#!/usr/bin/env bash
# The one step of the workflow that calls the systems: looks whether a run would get through, then plans, syncs, releases a
# held plan or undoes a run, as DRY_RUN, APPROVE and UNDO say. Leaves the summary, the plan and the errors in OUT.
set -eo pipefail
source "$(dirname "$0")/settings.sh"
mkdir -p "$OUT"
touch "$OUT/began"
product() { .venv/bin/integration-assets "$@"; }
run() { product "$@" --environment "$ENVIRONMENT" --json "$OUT/summary.json"; }

code=0
product doctor --environment "$ENVIRONMENT" > "$OUT/doctor.txt" 2>&1 || code=$?
{ echo "### Preflight, $ENVIRONMENT"; echo '```'; cat "$OUT/doctor.txt"; echo '```'; } | tee -a "$GITHUB_STEP_SUMMARY"
if [ "$code" != 0 ]; then
  exit "$code"
fi

if [ -n "$UNDO" ]; then
  confirmed=(); [ "$DRY_RUN" = "true" ] || confirmed=(--yes)
  run undo "$UNDO" "${confirmed[@]}" 2> "$OUT/errors.txt" || code=$?
elif [ "$DRY_RUN" = "true" ]; then
  run plan --show 20 --out "$OUT/plan.json" --csv "$OUT/plan.csv" > "$OUT/plan.txt" 2> "$OUT/errors.txt" || code=$?
  cat "$OUT/plan.txt"
elif [ -n "$APPROVE" ]; then
  # The state may be gone, so the plan is made again: its hash says whether it is the one that was looked at.
  run plan --out "$OUT/plan.json" > "$OUT/plan.txt" 2> "$OUT/errors.txt" || code=$?
  if [ "$code" = 0 ] || [ "$code" = 3 ]; then
    code=0
    run sync --plan "$OUT/plan.json" --approve "$APPROVE" 2> "$OUT/errors.txt" || code=$?
  fi
else
  run sync 2> "$OUT/errors.txt" || code=$?
  if [ "$code" = 3 ]; then # held: what would have been done, to be looked at
    product plan --environment "$ENVIRONMENT" --out "$OUT/plan.json" --csv "$OUT/plan.csv" || true
  fi
fi
cat "$OUT/errors.txt" >&2
exit "$code"
