"""Settings that make nothing, or nonsense, are refused by name before a run begins."""

from decimal import Decimal

import duckdb
import pytest

from integration_assets.config import load_settings
from integration_assets.errors import ConfigurationError
from integration_assets.runs.in_process import dagster_home, prepared_instance
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.store import open_store, store_path


@pytest.mark.parametrize(
    ("rates", "reason"),
    [
        ("EUR", "must look like"), ("=1.08", "must look like"), ("EUR=", "must look like"),
        ("EUR=1,08", "must look like"), ("$=1.08", "three letters"), ("EURO=1.08", "three letters"),
        ("US$=1", "three letters"), ("EUR=0", "above zero"), ("EUR=-1", "above zero"), ("EUR=nan", ""),
        ("EUR=Infinity", ""), ("EUR=1e-30", "must be between"), ("EUR=1e30", "must be between"), ("EUR=one", ""),
        ("EUR=1.08,eur=1.09", "EUR has two rates"),
    ],
)  # fmt: skip
def test_rates_that_make_nothing_are_refused(rates, reason):
    """A rate is for three letters, once, and a number that leaves something of a figure."""
    with pytest.raises(ConfigurationError, match=f"INTEGRATION_ASSETS_CURRENCY_RATES.*{reason}"):
        load_settings(currency_rates=rates)


def test_rates_as_people_write_them():
    """White space and case do not count; currencies of very different worth are fine."""
    rates = load_settings(currency_rates=" eur = 1.08 , IRR=0.0000238,KWD=3.25 ").currency_rates
    assert rates == {"EUR": Decimal("1.08"), "IRR": Decimal("0.0000238"), "KWD": Decimal("3.25")}


@pytest.mark.parametrize("floor", ["-0.1", "1.1", "half"])
def test_a_floor_is_a_share(floor):
    """Both floors are shares from 0 to 1."""
    with pytest.raises(ConfigurationError, match="INTEGRATION_ASSETS_ARR_COVERAGE_FLOOR"):
        load_settings(arr_coverage_floor=floor)


@pytest.mark.parametrize(
    "pasted",
    [
        " 'key-0123456789'\n",
        '"key-0123456789"',
        "\u200bkey-0123456789\ufeff",
        "\r\n\tkey-0123456789 ",
        "“key-0123456789”",
    ],
)
@pytest.mark.parametrize("variable", ["CANNY_API_KEY", "HUBSPOT_SANDBOX_TOKEN", "SLACK_BOT_TOKEN"])
def test_a_pasted_key_is_the_key(monkeypatch, variable, pasted):
    """White space, line breaks, invisible characters and a pair of quotes round it are taken off."""
    monkeypatch.setenv(variable, pasted)
    value = getattr(load_settings(), variable.lower())
    assert value.get_secret_value() == "key-0123456789"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CANNY_API_KEY", "Bearer key-0123456789", "the key or token alone"),
        ("CANNY_API_KEY", "pat-na1-0123456789", "is a HubSpot token"),
        ("CANNY_API_KEY", "key-01234\n56789", "holds a line break"),
        ("HUBSPOT_SANDBOX_TOKEN", "'Bearer pat-na1-0123456789'", "the key or token alone"),
        ("HUBSPOT_PRODUCTION_TOKEN", "xoxb-0123456789", "is a Slack bot token"),
        ("SLACK_BOT_TOKEN", "xapp-1-0123456789", "is a Slack app-level token: it must be a Slack bot token"),
        ("SLACK_BOT_TOKEN", "xoxp-0123456789", "is a Slack user token"),
        ("SLACK_BOT_TOKEN", "pat-na1-0123456789", "is a HubSpot token"),
        ("SLACK_BOT_TOKEN", "https://hooks.slack.com/services/T0/B0/0123456789", "is an address"),
    ],
)
def test_a_key_of_something_else_is_told_by_its_variable(monkeypatch, variable, value, said):
    """Before any system is asked, and without a word of the key."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"{variable}: .*{said}") as wrong:
        load_settings()
    assert "0123456789" not in str(wrong.value)


def test_one_token_for_both_portals_is_refused(monkeypatch):
    """What would be tried in the sandbox would be written to production."""
    monkeypatch.setenv("HUBSPOT_SANDBOX_TOKEN", "pat-na1-0123456789")
    monkeypatch.setenv("HUBSPOT_PRODUCTION_TOKEN", " pat-na1-0123456789 ")
    with pytest.raises(ConfigurationError, match="HUBSPOT_SANDBOX_TOKEN and HUBSPOT_PRODUCTION_TOKEN are the same"):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CANNY_BASE_URL", " https://canny.io/api "),
        ("CANNY_BASE_URL", "'https://canny.io/api/'"),
        ("CANNY_BASE_URL", "http://127.0.0.1:8080/api"),
        ("CANNY_BASE_URL", "https://relay.example/canny/api"),
        ("HUBSPOT_SANDBOX_BASE_URL", "https://api.hubapi.com/"),
        ("SLACK_BASE_URL", "https://slack.com/api"),
    ],
)
def test_an_address_as_people_paste_it(monkeypatch, variable, value):
    """Quotes and blanks round it, and a final slash, do not count; an operator's own relay may be asked."""
    monkeypatch.setenv(variable, value)
    assert getattr(load_settings(), variable.lower()) == value.strip().strip("'")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CANNY_BASE_URL", "https://canny.io/api/v1", "must end before /v1"),
        ("CANNY_BASE_URL", "http://127.0.0.1:8080/api/v1/", "must end before /v1"),
        ("CANNY_BASE_URL", "https://canny.io", "must be https://canny.io/api"),
        ("CANNY_BASE_URL", "https://acme.canny.io/", "must be https://canny.io/api"),
        ("CANNY_BASE_URL", "http://canny.io/api", "must be https://canny.io/api"),
        ("CANNY_BASE_URL", "https://canny .io/api", "has a blank"),
        ("CANNY_BASE_URL", "canny.io/api", "must start with https://"),
        ("CANNY_BASE_URL", "https://[::1", "is no address"),
        ("CANNY_BASE_URL", "https://ann:secret@canny.io/api", "no user, password"),
        ("HUBSPOT_SANDBOX_BASE_URL", "https://app.hubspot.com", "must be https://api.hubapi.com"),
        ("HUBSPOT_PRODUCTION_BASE_URL", "https://api.hubapi.com/crm/v3", "must end before /crm"),
        ("SLACK_BASE_URL", "https://hooks.slack.com/services/T0/B0/secret", "must be https://slack.com/api/"),
        ("SLACK_BASE_URL", "https://slack.com", "must be https://slack.com/api/"),
        ("HUBSPOT_SANDBOX_PORTAL_ID", "my portal", "must be the number of the portal"),
        ("INTEGRATION_ASSETS_LINK_CONTACTS", "ja", "valid boolean"),
        ("INTEGRATION_ASSETS_CALL_BUDGET", "10 calls", "valid integer"),
    ],
)
def test_a_wrong_address_or_number_is_told_by_its_variable(monkeypatch, variable, value, said):
    """The message is about the variable, with what it should be; nothing of a password in it."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"{variable}: .*{said}") as wrong:
        load_settings()
    assert "secret" not in str(wrong.value)


def test_values_with_quotes_and_odd_separators(monkeypatch):
    """Lists may be separated by commas, semicolons or lines; names of boards may hold a semicolon."""
    monkeypatch.setenv("INTEGRATION_ASSETS_OWN_DOMAINS", "a.com; b.com\n'c.com',")
    monkeypatch.setenv("CANNY_BOARDS", '"Bugs; old", Features')
    monkeypatch.setenv("INTEGRATION_ASSETS_LINK_CONTACTS", " 'FALSE' ")
    monkeypatch.setenv("INTEGRATION_ASSETS_CALL_BUDGET", '"100"')
    settings = load_settings()
    assert settings.own_domains == ("a.com", "b.com", "c.com")
    assert settings.feedbacks[0].texts("boards") == ("Bugs; old", "Features")
    assert (settings.link_contacts, settings.call_budget) == (False, 100)


def test_a_variable_of_blanks_is_not_set(monkeypatch):
    """As one that is empty."""
    monkeypatch.setenv("CANNY_API_KEY", "  ''  ")
    monkeypatch.setenv("CANNY_BASE_URL", " ")
    assert (load_settings().feedbacks[0].secret, load_settings().feedbacks[0].base_url) == (
        None,
        "https://canny.io/api",
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a%20b", "has %20 in it"),
        ("feature%2Fx", "has %2F in it"),
        ("what?", r"has a \? in it"),
    ],
)
def test_a_home_that_database_urls_cannot_name_is_refused(monkeypatch, tmp_path, name, said):
    """Named by its character, before anything is written; also where it is the folder somebody stands in."""
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(tmp_path / name / "home"))
    with pytest.raises(ConfigurationError, match=f"INTEGRATION_ASSETS_HOME: .*{said}"):
        load_settings()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", "relative")
    with pytest.raises(ConfigurationError, match=said):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("INTEGRATION_ASSETS_ENVIRONMENT", "prod", "must be 'sandbox' or 'production'"),
        ("INTEGRATION_ASSETS_ARR_COVERAGE_FLOOR", "50%", "must be a valid number"),
        ("INTEGRATION_ASSETS_CURRENCY_RATES", "EUR=nan", "must be a finite number"),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(monkeypatch, name, value, said):
    """Not in those of the parser of settings."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    assert raised.value.message.endswith(f": {said}")


def test_a_home_is_a_folder_and_may_begin_with_a_tilde(monkeypatch, tmp_path):
    """Quotes that a dotenv file leaves are none of its name; a file is told, and a user nobody knows."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", '"~/ia home"')
    monkeypatch.setenv("INTEGRATION_ASSETS_OVERRIDES", "~/overrides.csv")
    assert (load_settings().home, load_settings().overrides) == (tmp_path / "ia home", tmp_path / "overrides.csv")
    (tmp_path / "file").touch()
    for value, said in (("~/file", "is a file: name a folder"), ("~nobody-here-at-all/x", "nobody's home directory")):
        monkeypatch.setenv("INTEGRATION_ASSETS_HOME", value)
        with pytest.raises(ConfigurationError, match=f"INTEGRATION_ASSETS_HOME: .*{said}"):
            load_settings()


@pytest.mark.parametrize("name", ["a%b #1", 'it\'s "x"', "bücher\n公司", "[x];{y}&$HOME"])
def test_a_home_of_any_other_name_is_worked_in(monkeypatch, tmp_path, name):
    """Dagster's records, the staging store and the published file are made inside it, and only there."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings = load_settings(home=tmp_path / name)
    with prepared_instance(dagster_home(settings.home)) as instance:
        assert instance.get_runs() == []
    with open_store(store_path(settings.home, None, "sandbox", "default")) as store:
        publish(store, published_path(settings.home, "sandbox", "default"))
    with duckdb.connect(published_path(settings.home, "sandbox", "default"), read_only=True) as published:
        assert published.execute("SELECT count(*) FROM ops.runs").fetchall() == [(0,)]
    assert [found.name for found in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("folder", "said"), [("a%20b", "has %20 in it"), ("what?", r"has a \? in it"), ("f", "is a file")]
)
def test_a_folder_of_dagster_is_looked_at_too(monkeypatch, tmp_path, folder, said):
    """It is not ours to make."""
    (tmp_path / "f").touch()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / folder))
    with pytest.raises(ConfigurationError, match=f"DAGSTER_HOME: .*{said}"):
        dagster_home(tmp_path)


@pytest.mark.parametrize("name", ["INTEGRATION_ASSETS_BASE_CURRENCY", "INTEGRATION_ASSETS_ACCOUNTS_CURRENCY"])
@pytest.mark.parametrize("value", ["€", "eur", "EURO", "E1R"])
def test_a_currency_is_told_by_its_code(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Anything else is refused in words, by the name of the variable."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"{name}: must be the three capital letters of a currency"):
        load_settings()


BOTH = {"INTEGRATION_ASSETS_FEEDBACK": "canny,table"}


@pytest.mark.parametrize(
    ("systems", "given", "found"),
    [
        (BOTH, "EUR", {"canny": "EUR", "table": "EUR"}),
        (BOTH, "canny=USD, table=EUR", {"canny": "USD", "table": "EUR"}),
        (BOTH, "table=EUR", {"canny": "USD", "table": "EUR"}),
        (BOTH, "GBP,table=EUR", {"canny": "GBP", "table": "EUR"}),
        ({}, "canny=GBP,table=EUR", {"canny": "GBP"}),
    ],
)
def test_each_feedback_system_may_have_a_currency_of_its_own(
    monkeypatch: pytest.MonkeyPatch, systems: dict[str, str], given: str, found: dict[str, str]
) -> None:
    """A code alone is that of all others; a system that is not read counts for nothing."""
    for name, value in {**systems, "INTEGRATION_ASSETS_ACCOUNTS_CURRENCY": given}.items():
        monkeypatch.setenv(name, value)
    assert load_settings().accounts_currencies == found


def test_currencies_that_come_to_the_same_are_the_same_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """An approval of a plan stays in force, whichever way one currency of all is written."""
    monkeypatch.setenv("INTEGRATION_ASSETS_FEEDBACK", "canny,table")
    monkeypatch.setenv("INTEGRATION_ASSETS_ACCOUNTS_CURRENCY", "canny=EUR,table=EUR")
    assert load_settings().accounts_currency == "EUR"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("canny=USD,table=eur", "one for each feedback system, such as canny=USD,table=EUR"),
        ("canny=USD,jira=EUR", "names jira, which is none of "),
        ("canny=USD,canny=EUR", "gives canny two currencies: keep one"),
        ("USD,EUR,canny=GBP", "gives the others two currencies: keep one"),
    ],
)
def test_a_currency_of_a_system_that_cannot_be_meant_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: str, said: str
) -> None:
    """By the name of the variable, with the form that is right."""
    monkeypatch.setenv("INTEGRATION_ASSETS_FEEDBACK", "canny,table")
    monkeypatch.setenv("INTEGRATION_ASSETS_ACCOUNTS_CURRENCY", given)
    with pytest.raises(ConfigurationError, match=f"INTEGRATION_ASSETS_ACCOUNTS_CURRENCY .*{said}"):
        load_settings()
