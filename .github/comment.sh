#!/usr/bin/env bash
# Tells a pull request what its plan is, in one comment that is replaced by the next.
set -eo pipefail
body="$RUNNER_TEMP/comment.md"
{
  echo "## What this branch would change in $ENVIRONMENT"
  echo
  if [ -f "$OUT/summary.json" ]; then
    .venv/bin/integration-assets report --markdown "$OUT/summary.json"
  fi
  files=("$OUT/plan.txt" "$OUT/errors.txt")
  # It ended before there was a plan.
  [ -f "$OUT/summary.json" ] || files+=("$OUT/doctor.txt")
  for file in "${files[@]}"; do
    if [ -s "$file" ]; then
      # Indented, so that no title in it can be taken for markup or a mention; a comment has at most 65,536 characters.
      echo; head --lines 250 "$file" | head --bytes 20000 | sed 's/^/    /'; echo
    fi
  done
} > "$body"
gh pr comment "$NUMBER" --body-file "$body" --edit-last --create-if-none
