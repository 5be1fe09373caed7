#!/usr/bin/env bash
# Keeps the home of the runs between two machines, as one sealed backup in STATE. `restore` goes on without it where it
# cannot be used, and says so: every run can do without. `save` reports to the step whether there is something to keep.
set -eo pipefail
say() { echo "$1" | tee -a "$GITHUB_STEP_SUMMARY"; }
file="$STATE/home.backup"

if [ -z "$INTEGRATION_ASSETS_KEY" ]; then
  if [ "$1" = restore ]; then
    say "No state is kept between runs: there is no secret INTEGRATION_ASSETS_KEY (make one: integration-assets keys generate)."
  fi
elif [ "$1" = restore ]; then
  if [ ! -f "$file" ]; then
    say "No state of an earlier run: everything is read."
  elif ! .venv/bin/integration-assets restore "$file"; then
    say "The state of the earlier runs cannot be used (see the log of this step): everything is read, and undo knows no run."
    rm -rf "$INTEGRATION_ASSETS_HOME"
  fi
elif [ -d "$INTEGRATION_ASSETS_HOME" ]; then
  rm -f "$file"
  mkdir -p "$STATE"
  .venv/bin/integration-assets backup --encrypt "$file"
  echo "saved=true" >> "$GITHUB_OUTPUT"
fi
