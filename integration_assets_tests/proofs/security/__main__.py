"""Print what was measured of security, a line each; exit 1 when something is not as it should be."""

from __future__ import annotations

import importlib
import sys

MODULES = (
    "addresses",
    "sentinels",
    "tenants_apart",
    "theft",
    "vault",
    "probes",
    "open_routes",
    "logins",
    "login_times",
)
"""In the order in which they are printed. Names on the command line choose among them."""


def main(names: list[str]) -> int:
    """The command."""
    if unknown := set(names) - set(MODULES):
        sys.stderr.write(f"there is no {', '.join(sorted(unknown))}: choose of {', '.join(MODULES)}\n")
        return 2
    all_good = True
    for name in names or MODULES:
        module = importlib.import_module(f"integration_assets_tests.proofs.security.{name}")
        for what, good, of in module.figures():
            sys.stdout.write(f"{what}: {good}/{of}{'' if good == of else '  NOT AS IT SHOULD BE'}\n")
            sys.stdout.flush()
            all_good = all_good and good == of
    return 0 if all_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
