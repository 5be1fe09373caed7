"""An installation whose tenants live in the registry: a home, a key, and nothing in the environment but that."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from integration_assets.config import Settings
from integration_assets.connectors import limiter
from integration_assets.sandbox.server import build_sandbox
from integration_assets.tenants.registry.master import generate
from integration_assets_tests.support.harness import Ran, World, started, world_of
from integration_assets_tests.support.short_waits import short_waits
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import PROMPT


@dataclass
class Installation:
    """Worlds by tenant, and one home that serves them all."""

    home: Path
    worlds: dict[str, World]
    key: str = field(default_factory=generate)
    variables: Mapping[str, str] = field(default_factory=dict)
    """Variables of the whole installation, such as the address of its registry."""

    def run(self, *arguments: str, stdin: str = "", **variables: str | None) -> Ran:
        """Run a command; it finds the key and the allowed hosts in the environment, and no credential."""
        # A process of its own would begin with fresh counters; so does this one.
        limiter._limiters.clear()
        with short_waits():
            return self._some().run(*arguments, json_file=False, stdin=stdin, **self._seen(variables))

    def start(self, *arguments: str, output: int | IO[bytes] = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a command as a process of its own, which waits as long as it does in earnest."""
        return started(arguments, self.environment(), output)

    def environment(self) -> dict[str, str]:
        """What a process of this installation sees."""
        return self._some().environment(**self._seen({}))

    def _some(self) -> World:
        return next(iter(self.worlds.values()))

    def _seen(self, variables: Mapping[str, str | None]) -> dict[str, str | None]:
        hosts = ",".join(
            world.addresses.environment()["INTEGRATION_ASSETS_ALLOWED_HOSTS"] for world in self.worlds.values()
        )
        bare: dict[str, str | None] = {str(one.validation_alias): None for one in Settings.model_fields.values()}
        return {
            **bare,
            "INTEGRATION_ASSETS_HOME": str(self.home),
            "INTEGRATION_ASSETS_KEY": self.key,
            "INTEGRATION_ASSETS_ALLOWED_HOSTS": hosts,
            **self.variables,
            **variables,
        }

    def good(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must succeed; return what it said."""
        ran = self.run(*arguments, stdin=stdin)
        assert ran.code == 0, ran.out + ran.err
        return ran.out

    def register(self, tenant: str) -> None:
        """Make a tenant and give it the four integrations of its world."""
        values = self.worlds[tenant].addresses.environment()
        self.good("tenants", "add", tenant)
        for own in ("OWN_DOMAINS", "CURRENCY_RATES"):
            name = f"INTEGRATION_ASSETS_{own}"
            if values.get(name):
                self.good("tenants", "set", tenant, own.lower(), values[name])
        add = ("tenants", "integrations", "add", tenant)
        canny = ("canny", "--base-url", values["CANNY_BASE_URL"], f"--set=plan={values['CANNY_PLAN']}")
        self.good(*add, *canny, stdin=values["CANNY_API_KEY"] + "\n")
        for environment in ("sandbox", "production"):
            name = f"HUBSPOT_{environment.upper()}"
            options = [
                f"--set={setting.lower()}={values[f'HUBSPOT_{setting}']}"
                for setting in ("ARR_PROPERTY", "CURRENCY_PROPERTY", "ACCOUNT_ID_PROPERTY")
            ]
            place = ("hubspot", "--environment", environment, "--base-url", values[f"{name}_BASE_URL"])
            self.good(*add, *place, *options, stdin=values[f"{name}_TOKEN"])
        channel = f"--set=channel={values['SLACK_CHANNEL']}"
        slack = ("slack", "--base-url", values["SLACK_BASE_URL"], channel)
        self.good(*add, *slack, stdin=values["SLACK_BOT_TOKEN"])


@contextlib.contextmanager
def installation(home: Path, *tenants: str) -> Iterator[Installation]:
    """An installation with a served world per tenant, each with keys of its own. Nothing is registered yet."""
    with contextlib.ExitStack() as stack:
        worlds = {}
        for tenant in tenants:
            sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, portal_options=PROMPT)
            sandbox.sample.workspace.api_key = f"canny-key-of-{tenant}-0123456789"
            sandbox.sandbox.portal.token = f"pat-na1-sandbox-of-{tenant}-0123456789"
            sandbox.production.portal.token = f"pat-na1-production-of-{tenant}-0123456789"
            sandbox.team.token = f"xoxb-of-{tenant}-0123456789"
            worlds[tenant] = stack.enter_context(world_of(sandbox, home))
        yield Installation(home, worlds)
