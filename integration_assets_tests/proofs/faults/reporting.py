"""I. Reporting: what Slack is told, how often, and what becomes of it when Slack or the run fails."""

from __future__ import annotations

import json
from unittest import mock

from integration_assets.sandbox.canny.records import Post, slug
from integration_assets_tests.proofs.faults.asking import anything
from integration_assets_tests.proofs.faults.bench import Bench, require
from integration_assets_tests.proofs.faults.case_runs import fault
from integration_assets_tests.proofs.faults.checker import run_of
from integration_assets_tests.support.harness import NAMES, OBJECT, World
from integration_assets_tests.support.killing import Seen, Strike
from integration_assets_tests.support.small_world import MINUTE, START

SUCCESS = "succeeded"
MOST_BLOCK_TEXT, MOST_BLOCKS = 3_000, 50


def about(bench: Bench, run_id: str) -> list[str]:
    """Texts of the messages Slack has taken about a run."""
    return [message["text"] for message in bench.world.sandbox.team.messages if run_of(message) == run_id]


@fault("I1f", "Slack is down, or does not know the token any more")
def i1f(bench: Bench) -> None:
    """The run's result stands; its summary is kept and posted once by the next run that reaches Slack."""
    bench.inject("slack", anything, times=None, close=True)
    bench.run("sync")
    bench.expect(state="SUCCEEDED", exit=0, says="Slack")
    first = bench.last.ran.summary["run_id"]
    bench.lookalike("slack").faults.clear()
    bench.inject("slack", anything, times=None, status=200, body=b'{"ok":false,"error":"token_revoked"}')
    bench.run("sync")
    bench.expect(state="SUCCEEDED", exit=0, says="replace SLACK_BOT_TOKEN")
    second = bench.last.ran.summary["run_id"]
    require(not bench.world.sandbox.team.messages, "Slack was said to be down")
    bench.calm()
    bench.run("sync")
    bench.run("sync")
    for run_id in (first, second):
        texts = about(bench, run_id)
        require(len(texts) == 1, f"Slack got {len(texts)} messages about a run it had not heard of")


@fault("I2f", "Slack takes the message and answers too late")
def i2f(bench: Bench) -> None:
    """It is shown at most once more, by the next run, and both carry the same run id."""
    with mock.patch("integration_assets.runs.slack_delivery.TIMEOUT_SECONDS", 1):
        bench.inject("slack", anything, delay=0.0, after_commit=True, status=200, body=b"", body_delay=3.0)
        bench.run("sync")
    bench.expect(state="SUCCEEDED", exit=0)
    run_id = bench.last.ran.summary["run_id"]
    require(len(about(bench, run_id)) == 1, "the message was to be taken, and its answer to be late")
    bench.calm()
    bench.run("sync")
    bench.run("sync")
    texts = about(bench, run_id)
    require(len(texts) == 2, f"it is shown {len(texts)} times")


@fault("I3f", "the process dies after Slack has the message and before the run is over")
def i3f(bench: Bench) -> None:
    """The next start knows the end of that run, and no second message tells of its success."""
    strike = Strike("slack", 1.0, "answered")
    bench.process("sync", strike=strike, reference=[Seen("slack", "POST", "/api/chat.postMessage")])
    require(bench.last.died, "the process was to die")
    told = bench.world.sandbox.team.messages
    require(len(told) == 1, f"Slack had {len(told)} messages when the process died")
    dead = run_of(told[0])
    bench.calm()
    bench.run("sync")
    bench.expect(state="SUCCEEDED", exit=0)
    require(len(about(bench, dead)) == 1, "the dead run's success was told twice")
    target = bench.world.home / "report.json"
    report = bench.world.run("report", "--run", dead, "--json", str(target))
    require(report.code == 0, f"there is no report of the dead run: {report.err}")
    state = json.loads(target.read_text())["state"]
    require(state == "SUCCEEDED", f"the dead run is on record as {state}")


@fault("I4f", "more to tell than Slack takes")
def i4f(bench: Bench) -> None:
    """Slack takes the message: what does not fit is counted in it."""

    def too_much(world: World) -> None:
        world.portal.require(OBJECT, "category", when=("board", "Bugs"))
        for number in range(45):
            made = START + (2_000 + number) * MINUTE
            title = f"{number} <&> " + "very long & <dangerous> title " * 30
            post = Post(world.canny.new_id(made), NAMES.boards["Bugs"], title, made, slug(title)[:60])
            world.canny.add_post(post)

    bench.both(too_much)
    bench.clean_state, bench.may_repeat_writes = "SUCCEEDED_WITH_REJECTS", True
    bench.run("sync")
    bench.expect(state="SUCCEEDED_WITH_REJECTS", exit=0)
    require(len(bench.last.messages) == 1, "Slack did not take the message")
    blocks = bench.last.messages[0]["blocks"]
    loaded = json.loads(blocks) if isinstance(blocks, str) else blocks
    texts = [str(block.get("text", {}).get("text", "")) for block in loaded]
    require(len(loaded) <= MOST_BLOCKS and max(map(len, texts)) <= MOST_BLOCK_TEXT, "Slack's limits were passed")
    rejected = len(bench.last.ran.summary["rejected"])
    require(any(f"and {rejected - 5:,} more" in text for text in texts), f"{rejected - 5} rejects were not counted")
