"""Which portal may be written to."""

from __future__ import annotations

import pytest

from integration_assets.config import Environment, load_settings
from integration_assets.errors import ConfigurationError
from integration_assets.models import Portal, PortalKind
from integration_assets.sync.portal import PinDecision, check_portal, pin_portal, pinned_portal
from integration_assets_tests.sync.world import NOW, World

SANDBOX, PRODUCTION = Environment.SANDBOX, Environment.PRODUCTION


def decide(
    environment: Environment = PRODUCTION,
    portal_id: str = "1",
    kind: PortalKind = PortalKind.STANDARD,
    *,
    configured: str | None = None,
    pinned: str | None = None,
    other: str | None = None,
) -> PinDecision:
    settings = load_settings(**{f"hubspot_{environment}_portal_id": configured} if configured else {})
    return check_portal(
        environment,
        Portal(portal_id, kind),
        own=settings.crm(environment),
        pinned_id=pinned,
        other_portal_id=other,
    )


def test_a_portal_is_learnt_then_pinned():
    """Without pin and variable the portal is learnt, and said so; later it is recognised."""
    assert decide().origin == "learnt"
    assert "portal 1" in decide().message
    assert decide(pinned="1").origin == "pinned"


def test_another_portal_is_a_configuration_error():
    """The pin, and the variable, tie the environment to one portal."""
    with pytest.raises(ConfigurationError, match="tied to portal 2"):
        decide(pinned="2")
    with pytest.raises(ConfigurationError, match="HUBSPOT_PRODUCTION_PORTAL_ID is 2"):
        decide(configured="2")


def test_one_portal_for_both_environments_is_refused():
    """Even when the variable names it."""
    for configured in (None, "1"):
        with pytest.raises(ConfigurationError, match="both lead to portal 1"):
            decide(configured=configured, other="1")
    assert decide(other="2").portal_id == "1"


@pytest.mark.parametrize(
    ("environment", "kind", "allowed"),
    [
        (PRODUCTION, PortalKind.STANDARD, True),
        (PRODUCTION, PortalKind.SANDBOX, False),
        (PRODUCTION, PortalKind.DEVELOPER_TEST, False),
        (PRODUCTION, PortalKind.OTHER, False),
        (SANDBOX, PortalKind.SANDBOX, True),
        (SANDBOX, PortalKind.DEVELOPER_TEST, True),
        (SANDBOX, PortalKind.STANDARD, False),
        (SANDBOX, PortalKind.OTHER, False),
    ],
)
@pytest.mark.parametrize("pinned", [None, "1"])
def test_the_kind_of_account_must_fit(environment: Environment, kind: PortalKind, allowed: bool, pinned: str | None):
    """Learnt or pinned, the rule is the same; the variable overrides it."""
    if allowed:
        assert decide(environment, kind=kind, pinned=pinned).portal_id == "1"
    else:
        with pytest.raises(ConfigurationError, match=f"is a {kind} account"):
            decide(environment, kind=kind, pinned=pinned)
    assert decide(environment, kind=kind, pinned=pinned, configured="1").origin == "configured"


def test_the_pin_is_kept_and_moved_on_purpose_only(world: World):
    """Learnt once; a variable moves it."""
    first = Portal("1", PortalKind.STANDARD)
    assert pinned_portal(world.connection, PRODUCTION) is None
    pin_portal(world.connection, PRODUCTION, first, decide(), NOW)
    assert pinned_portal(world.connection, PRODUCTION) == "1"
    assert pinned_portal(world.connection, SANDBOX) is None
    pin_portal(world.connection, PRODUCTION, first, decide(pinned="1"), NOW)
    moved = decide(portal_id="5", configured="5", pinned="1")
    pin_portal(world.connection, PRODUCTION, Portal("5", PortalKind.STANDARD), moved, NOW)
    assert pinned_portal(world.connection, PRODUCTION) == "5"
