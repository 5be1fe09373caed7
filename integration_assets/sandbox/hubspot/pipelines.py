"""The pipeline that deals go through, as every account has it when it is new."""

from __future__ import annotations

from integration_assets.sandbox.hubspot.errors import Json

STAGES = (
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
)
"""Id, label, and the probability that a deal in it is won. A deal that is surely won or lost is closed."""
CLOSED_STAGES = frozenset(stage for stage, _, probability in STAGES if probability in {"0.0", "1.0"})


def deal_pipelines() -> list[Json]:
    """The pipelines of deals as the API prints them."""
    stages = [
        {
            "id": stage,
            "label": label,
            "displayOrder": order,
            "archived": False,
            "metadata": {"isClosed": str(stage in CLOSED_STAGES).lower(), "probability": probability},
        }
        for order, (stage, label, probability) in enumerate(STAGES)
    ]
    return [{"id": "default", "label": "Sales Pipeline", "displayOrder": 0, "archived": False, "stages": stages}]
