"""The API fuzzed by its own document: no answer is an accident, whatever is sent."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from integration_assets_tests.support.web_site import Client
from integration_assets_tests.web.conftest import Served

EXAMPLES = 12
"""For each of the operations."""


def test_no_answer_is_an_accident(pages: Served, ann: Client) -> None:
    """Every answer to every operation has a documented status, type and shape, and none is a server error."""
    document = ann.get("/api/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    pages.site.tests.limits["tenant"] = 10_000
    headers = {
        "origin": pages.site.origin,
        "x-csrf-token": ann.csrf,
        "cookie": f"sid={ann.http.cookies['sid']}",
    }
    operations: list[Any] = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == 20

    for operation in operations:

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def holds(case: Any) -> None:
            answer = case.call(base_url=pages.site.origin, headers=headers)
            case.validate_response(
                answer,
                checks=[
                    not_a_server_error,
                    status_code_conformance,
                    content_type_conformance,
                    response_schema_conformance,
                ],
            )

        holds()
