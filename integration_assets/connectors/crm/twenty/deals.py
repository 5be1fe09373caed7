"""Open opportunities, of all companies or of some.

Nothing of an opportunity says that it is closed: it has a stage, of options that each workspace chooses. Which of them
are closed is a setting; Twenty's own workspaces begin with one that is won, and none that is lost.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date, datetime

from integration_assets.connectors.crm.base import DealPage
from integration_assets.connectors.crm.twenty import endpoints
from integration_assets.connectors.crm.twenty.metadata import Metadata
from integration_assets.connectors.crm.twenty.reads import translate, with_id_form
from integration_assets.connectors.crm.twenty.session import Session
from integration_assets.connectors.crm.twenty.spec import CLOSED_STAGES
from integration_assets.connectors.crm.twenty.values import currency_of, field_text, units_of
from integration_assets.connectors.crm.twenty.wire import SYSTEM, Record, Row
from integration_assets.errors import PermanentError
from integration_assets.models import Deal

OPPORTUNITY = "opportunity"
OPPORTUNITIES = "opportunities"
STAGE = "stage"


class TwentyDeals:
    """See `connectors.crm.base.OpenDeals` for what each member promises.

    Args:
        session: Calls to the workspace.
        metadata: Reads the objects of the workspace, or hands out what was read.
        closed: API values of the stages that are won or lost.
    """

    scopes: frozenset[str] = frozenset()
    """None beyond those of a run: the permission to see records is one for all objects."""

    def __init__(self, session: Session, metadata: Callable[[], Awaitable[Metadata]], closed: Sequence[str]) -> None:
        self._session = session
        self._metadata = metadata
        self._closed = closed

    async def of(self, company_ids: Collection[str] | None) -> AsyncIterator[DealPage]:
        """Read the open opportunities of these companies; None asks for those of all companies.

        Raises:
            PermanentError: which stages are open cannot be told.
        """
        stages = open_stages(await self._metadata(), self._closed)
        filter_text = endpoints.among(STAGE, list(stages))
        # More companies than one filter names are read with all others: a page holds 200 opportunities.
        if company_ids is not None and len(company_ids) <= endpoints.KEYS_PER_FILTER:
            ids = with_id_form(company_ids)
            if not ids:
                return
            filter_text = f"{filter_text},{endpoints.among('companyId', ids)}"
        async for rows in self._session.pages(OPPORTUNITIES, filter_text):
            yield DealPage(translate(rows, "deal", lambda record, row: deal(record, row, stages)), 1)


def open_stages(metadata: Metadata, closed: Sequence[str]) -> dict[str, str]:
    """The stages that are neither won nor lost, with the labels people see. Pure.

    Raises:
        PermanentError: opportunities have no stages, or none of this name, so that closed ones would count as open.
    """
    one = metadata.get(OPPORTUNITY)
    field = one.field(STAGE) if one is not None and one.is_active else None
    labels = {option.value: option.label for option in (field.options if field else None) or ()}
    if not labels:
        raise PermanentError("the workspace has no opportunities with stages", system=SYSTEM)
    if unknown := [stage for stage in closed if stage not in labels]:
        raise PermanentError(
            f"opportunities have no stage {', '.join(unknown)}: name those that are won or lost, of "
            f"{', '.join(labels)}, in the setting {CLOSED_STAGES}",
            system=SYSTEM,
        )
    found = {value: label for value, label in labels.items() if value not in closed}
    if not found:
        raise PermanentError(f"the setting {CLOSED_STAGES} names all stages of opportunities", system=SYSTEM)
    return found


def deal(record: Record, row: Row, stages: Mapping[str, str]) -> Deal:
    """An open opportunity with its company. Pure."""
    company_id, stage, amount = field_text(row.get("companyId")), row.get(STAGE), row.get("amount")
    return Deal(
        deal_id=record.id,
        name=field_text(row.get("name")),
        company_ids=(company_id,) if company_id else (),
        stage=stages.get(stage) if isinstance(stage, str) else None,
        amount=units_of(amount),
        currency=currency_of(amount),
        close_date=_day(row.get("closeDate")),
    )


def _day(value: object) -> date | None:
    try:
        return datetime.fromisoformat(value).date() if isinstance(value, str) else None
    except ValueError:
        return None
