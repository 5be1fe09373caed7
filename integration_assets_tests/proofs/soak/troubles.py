"""What goes wrong for a while: how it begins, how runs end meanwhile, what is told of it, and how it is put right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from integration_assets.sandbox.lookalike import Fault, Lookalike
from integration_assets_tests.proofs.soak.happenings import Subject
from integration_assets_tests.support.installation import Installation
from integration_assets_tests.support.schema_changes import (
    with_a_requirement,
    with_another_label,
    with_option_back,
    with_property_back,
    without_option,
    without_property,
    without_the_requirement,
)

Mend = Callable[[], None]
SUCCEEDED, FAILED, HELD, LATER = 0, 1, 3, 75
AWAY = "not finished, will be tried again"
"""Title of the message of a run that a schedule started and that the other side kept from finishing."""


@dataclass(frozen=True)
class Trouble:
    """`code` is how runs end meanwhile; `title` what the first of them is told as. `kills`: the run dies instead."""

    name: str
    begin: Callable[[Installation, Subject], Mend]
    code: int = SUCCEEDED
    title: str = ""
    kills: bool = False
    longest: int = 3
    """Runs that meet it, at most."""


def _away(lookalike: Lookalike) -> Mend:
    fault = Fault(lambda _: True, times=None, status=503)
    lookalike.faults.append(fault)
    return lambda: lookalike.faults.remove(fault)


def _feedback_away(_: Installation, one: Subject) -> Mend:
    return _away(one.world.sandbox.canny)


def _crm_away(_: Installation, one: Subject) -> Mend:
    return _away(one.world.sandbox.hubspot_sandbox)


def _slack_away(_: Installation, one: Subject) -> Mend:
    return _away(one.world.sandbox.slack)


def _feedback_key_expired(made: Installation, one: Subject) -> Mend:
    """The key works no more until somebody has made another one and given it to the installation."""
    one.made += 1
    key = one.world.canny.api_key = f"canny-key-{one.made}-of-{one.name}-0123456789"
    change = ("tenants", "integrations", "change", one.name, "canny", "--secret")
    return lambda: _said(made.good(*change, stdin=key + "\n"))


def _crm_token_expired(made: Installation, one: Subject) -> Mend:
    one.made += 1
    token = one.world.portal.token = f"pat-na1-{one.made}-of-{one.name}-0123456789"
    change = ("tenants", "integrations", "change", one.name, "hubspot", "--environment", "sandbox", "--secret")
    return lambda: _said(made.good(*change, stdin=token + "\n"))


def _property_removed(_: Installation, one: Subject) -> Mend:
    """It cannot be made anew while the archived one is there: an administrator has to restore it."""
    without_property(one.world)
    return lambda: with_property_back(one.world)


def _option_removed(_: Installation, one: Subject) -> Mend:
    without_option(one.world)
    return lambda: with_option_back(one.world)


def _property_required(_: Installation, one: Subject) -> Mend:
    with_a_requirement(one.world)
    return lambda: without_the_requirement(one.world)


def _property_relabelled(_: Installation, one: Subject) -> Mend:
    """Its name stays, and with it everything: no trouble at all."""
    with_another_label(one.world)
    return lambda: None


def _nothing(_: Installation, __: Subject) -> Mend:
    return lambda: None


def _said(_: str) -> None:
    """What a command printed is of no interest here; that it succeeded was asserted."""


TROUBLES = (
    Trouble("feedback system away", _feedback_away, LATER, AWAY),
    Trouble("killed", _nothing, kills=True, longest=1),
    Trouble("property removed", _property_removed, HELD, "held, nothing written"),
    Trouble("CRM token expired", _crm_token_expired, FAILED, "failed"),
    Trouble("Slack away", _slack_away, longest=2),
    Trouble("property relabelled", _property_relabelled, longest=1),
    Trouble("killed again", _nothing, kills=True, longest=1),
    Trouble("CRM away", _crm_away, LATER, AWAY),
    Trouble("option removed", _option_removed, HELD, "held, nothing written"),
    Trouble("feedback key expired", _feedback_key_expired, FAILED, "failed"),
    Trouble("property required", _property_required, HELD, "held, nothing written"),
)
"""Of each tenant one after the other, each tenant from another one on."""
