"""Settings that make nothing, or nonsense, are refused by name before a run begins."""

from decimal import Decimal

import pytest

from integration_assets.config import load_settings
from integration_assets.errors import ConfigurationError


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
