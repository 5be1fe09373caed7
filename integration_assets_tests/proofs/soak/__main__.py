"""Let tenants live for simulated weeks, print what held, and what is kept of them at the end of each week.

Exit 1 when the CRM is not the truth, a message is missing or doubled, something is left behind, or grows without bound.
"""

from __future__ import annotations

import argparse
import sys

from integration_assets_tests.proofs.registry import SEED
from integration_assets_tests.proofs.soak.soak import DAYS, TENANTS, rows, tell


def main(arguments: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m integration_assets_tests.proofs.soak", description=__doc__)
    parser.add_argument("--tenants", type=int, default=TENANTS, help=f"default {TENANTS}")
    parser.add_argument("--days", type=int, default=DAYS, help=f"simulated days; default {DAYS}")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of everything that is drawn; default {SEED}")
    asked = parser.parse_args(arguments)
    held = True
    for row in rows(tell(asked.tenants, asked.days, asked.seed, sys.stderr.write), asked.tenants, asked.days):
        held = held and row.held is True
        sys.stdout.write(f"{'held' if row.held else 'MISSED'}  {row.name}: {row.measured} · {row.goal}; {row.detail}\n")
    return int(not held)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
