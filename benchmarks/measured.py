"""Run a command, and say at the end of stderr how much memory it held at most: `peak <bytes>`."""

from __future__ import annotations

import resource
import subprocess
import sys

if __name__ == "__main__":
    code = subprocess.run(sys.argv[1:], check=False).returncode
    sys.stderr.write(f"peak {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024}\n")
    raise SystemExit(code)
