"""Variables that look like settings and are none are told with the name that may be meant, and never their value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from integration_assets.unread_variables import known_variables, unread_variables


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("INTEGRATION_ASSETS_OWN_DOMAIN", "INTEGRATION_ASSETS_OWN_DOMAINS"),
        ("INTEGRATION_ASSETS_ENVIROMENT", "INTEGRATION_ASSETS_ENVIRONMENT"),
        ("INTEGRATION_ASSETS_LINK_CONTACT", "INTEGRATION_ASSETS_LINK_CONTACTS"),
        ("INTEGRATION_ASSETS_CURRENCY_RATE", "INTEGRATION_ASSETS_CURRENCY_RATES"),
        ("CANNY_EXCLUDED_BOARDS", "CANNY_EXCLUDE_BOARDS"),
        ("HUBSPOT_ARR_PROPERY", "HUBSPOT_ARR_PROPERTY"),
        ("OTEL_EXPORTER_OTLP_TRACE_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
    ],
)
def test_a_misspelt_variable_is_told_with_the_one_that_may_be_meant(name: str, meant: str):
    """Passed over in silence it would change what is counted, or where it is written."""
    assert unread_variables({name: "some-value"}) == (f"{name} is no setting and is not read: is {meant} meant?",)


def test_an_unknown_variable_of_ours_is_told_without_a_guess():
    """Whoever sets it believes that it does something."""
    assert unread_variables({"INTEGRATION_ASSETS_DRY_RUN": "true"}) == (
        "INTEGRATION_ASSETS_DRY_RUN is no setting and is not read: correct or remove it",
    )


@pytest.mark.parametrize(
    "name",
    [
        "HUBSPOT_ACCESS_TOKEN",  # of another program
        "SLACK_WEBHOOK_URL",
        "HUBSPOT_TIMEOUT",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
        "INTEGRATION_ASSETS_SERVICE_HOST",  # Kubernetes sets these for a service of our name
        "INTEGRATION_ASSETS_PAGES_SERVICE_PORT_HTTP",
        "INTEGRATION_ASSETS_PORT_3000_TCP_ADDR",
        "INTEGRATION_ASSETS_PORT",
        "PATH",
    ],
)
def test_variables_of_others_are_left_alone(name: str):
    """They have their own readers."""
    assert unread_variables({name: "x"}) == ()


def test_settings_themselves_are_never_told():
    """In whatever case, as they are read in any."""
    assert unread_variables(dict.fromkeys([*known_variables(), "integration_assets_own_domains"], "x")) == ()


def test_a_name_of_others_is_no_misspelling_of_a_setting_that_is_set():
    """Other programs share the prefix, and a blank variable is none."""
    assert (
        unread_variables({"SLACK_CHANNEL": "C1", "SLACK_CHANNEL_ID": "C1", "INTEGRATION_ASSETS_OWN_DOMAIN": " "}) == ()
    )


def test_every_variable_of_the_reference_is_known():
    """What is documented is read, and never told as strange."""
    page = (Path(__file__).parents[1] / "docs/reference/variables.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"INTEGRATION_ASSETS_[A-Z_]*[A-Z]", page))
    assert len(documented) > 40
    assert documented - known_variables() == set()
