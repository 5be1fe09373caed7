"""jsforce, which knows nothing of this project, and the look-alike understand each other."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENT = "@jsforce/jsforce-node@3.10.16"  # the last one that takes Node.js 20
STORY = Path(__file__).with_name("jsforce_story.mjs")
INSTALL_SECONDS, STORY_SECONDS = 300, 120

pytestmark = pytest.mark.proof  # npm and a process of another language: part of `make proofs`


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The command that runs the script beside an installed client."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("no npm: jsforce is not tried")
    folder = tmp_path_factory.mktemp("jsforce")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), CLIENT]
    installed = subprocess.run(command, capture_output=True, timeout=INSTALL_SECONDS, check=False)
    if installed.returncode != 0:
        pytest.skip("npm cannot install jsforce: it is not tried")
    return node, Path(shutil.copy(STORY, folder))


def test_jsforce_drives_the_look_alike(bench_of, story):
    """Records, collections of more than 200, pages, describe, refusals and the limit, as the client reads them."""
    bench = bench_of(page_rows=100)
    node, script = story
    ran = subprocess.run(
        [node, str(script), bench.address, bench.org.token],
        capture_output=True,
        text=True,
        timeout=STORY_SECONDS,
        check=False,
        cwd=script.parent,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told.pop("usage") == {"used": bench.org.calls_used, "limit": 100_000}
    fields = dict(told.pop("fields"))
    assert (fields["Votes__c"], fields["Company__c"], fields["Kind__c"]) == ("double", "reference", "picklist")
    assert told.pop("refused")["errorCode"] == "INVALID_FIELD"
    assert told == {
        "revenue": 12.0,
        "created": 250,
        "updated": [[True, False], [True, False]],
        "bad": ["INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"],
        "keys": 250,
        "total": 250,
        "titles": ["T1", "T2"],
        "organization": bench.org.org_id,
    }
