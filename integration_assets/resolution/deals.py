"""Amount of an open deal in the base currency."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from integration_assets.invisible import strip
from integration_assets.resolution.revenue import NO_RATE, convert, parse_amount
from integration_assets.resolution.settings import ResolutionSettings

KNOWN, NO_AMOUNT = "known", "no_amount"


class DealAmount(msgspec.Struct, frozen=True):
    """Amount of a deal: `amount` in the base currency, two places, and `own_amount` in `currency`, as the CRM has it.

    `status` is `known`, `no_amount`, `no_rate`, or what is wrong with the figure: `not_a_number`, `negative`,
    `too_large`. Only with `known` there is an `amount`.
    """

    amount: Decimal | None
    status: str
    own_amount: Decimal | None
    currency: str


def deal_amount(
    amount: str | None, currency: str | None, home_amount: str | None, settings: ResolutionSettings
) -> DealAmount:
    """Convert an amount to the base currency.

    The base currency needs no rate, and so the deal's own amount comes first where it is in it, then what the CRM
    itself converts to the portal's currency where that is the base currency. After them the tenant's rates decide: of
    the deal's currency, then of the portal's.
    """
    home = settings.portal_currency or settings.base_currency
    own = strip(currency or "").upper() or home
    figures = [(text, code) for text, code in ((amount, own), (home_amount, home)) if strip(text or "")]
    if not figures:
        return DealAmount(None, NO_AMOUNT, None, own)
    # Stable: of two figures in the base currency, or of two that are not, the deal's own stays first.
    figures.sort(key=lambda figure: figure[1] != settings.base_currency)
    first = parse_amount(amount or "") if strip(amount or "") else None
    own_amount = convert(first, Decimal(1)) if isinstance(first, Decimal) else None
    status = NO_RATE
    for text, code in figures:
        parsed = parse_amount(text or "")
        if isinstance(parsed, str):
            # The other figure may be better; where none is, this is what to tell.
            status = parsed
            continue
        rate = Decimal(1) if code == settings.base_currency else settings.currency_rates.get(code)
        # Nothing is nothing at any rate.
        if rate is None and parsed:
            continue
        return DealAmount(convert(parsed, rate or Decimal(1)), KNOWN, own_amount, own)
    return DealAmount(None, status, own_amount, own)
