"""Deployment of metadata: checked first, then carried out, then made visible to the user of a run."""

from __future__ import annotations

import msgspec

from integration_assets.connectors.crm.salesforce import endpoints, soql
from integration_assets.connectors.crm.salesforce.session import Session
from integration_assets.connectors.crm.salesforce.wire import (
    SYSTEM,
    Created,
    DeployRequest,
    DeployResult,
    decode,
)
from integration_assets.connectors.http import FormFile
from integration_assets.errors import ConfigurationError, CredentialError, PermanentError, TransientError

POLL_SECONDS = 2.0
LONGEST_DEPLOYMENT_SECONDS = 600.0
MOST_FAILURES = 5
"""Failures that are told; the first ones cause the others."""
MODIFY_METADATA = "Modify Metadata Through Metadata API Functions"
LACKS_A_RIGHT = "INSUFFICIENT_ACCESS"
"""Code of a refusal to deploy, as the error tells it."""
BY_HAND = (
    "give setup the token of an administrator, or let `setup --file` write the metadata and have it deployed with "
    "`sf project deploy start --metadata-dir FILE --single-package`"
)


async def deploy(session: Session, archive: bytes) -> None:
    """Deploy metadata, after a check that changes nothing.

    Raises:
        ConfigurationError: the user may not deploy metadata.
        PermanentError: the org refuses a component; names it.
        TransientError: it takes longer than `LONGEST_DEPLOYMENT_SECONDS`.
    """
    await _deployed(session, archive, check_only=True)
    await _deployed(session, archive, check_only=False)


async def _deployed(session: Session, archive: bytes, *, check_only: bool) -> None:
    options = {"singlePackage": True, "rollbackOnError": True, "checkOnly": check_only, "testLevel": "NoTestRun"}
    files = (
        FormFile("json", "", "application/json", msgspec.json.encode({"deployOptions": options})),
        FormFile("file", "deploy.zip", "application/zip", archive),
    )
    try:
        body = await session.define("POST", endpoints.DEPLOY, files=files)
    except CredentialError as error:
        # A token that has ended, or a user without the API, says so itself: no right to deploy would help.
        lacking = LACKS_A_RIGHT in error.message
        why = f"the user may not create our object: it lacks {MODIFY_METADATA!r}" if lacking else error.message
        raise ConfigurationError(
            f"{SYSTEM}: {why}; {BY_HAND}" if lacking else f"setup could not deploy: {why}; {BY_HAND}",
            system=SYSTEM,
            endpoint=error.endpoint,
            status=error.status,
        ) from error
    started = decode(body, DeployRequest, endpoint=endpoints.DEPLOY.template)
    result = await _finished(session, started.id)
    if not result.success:
        raise _failed(result, check_only=check_only)


async def _finished(session: Session, deployment_id: str) -> DeployResult:
    waited = 0.0
    while True:
        endpoint = endpoints.deployment(deployment_id)
        told = await session.read(endpoint, DeployRequest, params={"includeDetails": "true"})
        result = told.deploy_result or DeployResult()
        if result.done:
            return result
        if waited >= LONGEST_DEPLOYMENT_SECONDS:
            raise TransientError(
                f"{SYSTEM}: the deployment {deployment_id} is not done after {waited:.0f} s ({result.status}); look at "
                "it in Setup, Deployment Status, then run setup again",
                system=SYSTEM,
                endpoint=endpoint.template,
            )
        await session.sleep(POLL_SECONDS)
        waited += POLL_SECONDS


def _failed(result: DeployResult, *, check_only: bool) -> PermanentError:
    failures = result.details.component_failures
    told = [f"{one.full_name}: {one.problem}" for one in failures[:MOST_FAILURES]]
    more = f" and {len(failures) - MOST_FAILURES} more" if len(failures) > MOST_FAILURES else ""
    reasons = "; ".join(told) or result.error_message or result.status
    step = "would not create our object" if check_only else "did not create our object"
    return PermanentError(f"{SYSTEM} {step}, nothing was changed: {reasons}{more}", system=SYSTEM)


async def assign(session: Session, permission_set: str, user_id: str) -> None:
    """Give a permission set to a user, unless it has it.

    Raises:
        PermanentError: the permission set is not there, or the org does not let this user have it.
    """
    found = await session.query(soql.select("PermissionSet", ["Id"], f"Name = {soql.text(permission_set)}"))
    if not found:
        raise PermanentError(f"{SYSTEM}: the org has no permission set {permission_set}", system=SYSTEM)
    held = str(decode(found[0], _Record, endpoint="PermissionSet").id)
    condition = f"PermissionSetId = {soql.text(held)} AND AssigneeId = {soql.text(user_id)}"
    if await session.query(soql.select("PermissionSetAssignment", ["Id"], condition)):
        return
    endpoint = endpoints.create("PermissionSetAssignment")
    try:
        body = await session.define("POST", endpoint, json={"PermissionSetId": held, "AssigneeId": user_id})
    # One whose licence the user does not have, most of all: what was deployed stays, and this alone is left to do.
    except (PermanentError, CredentialError) as error:
        raise PermanentError(
            f"{SYSTEM}: what was missing is deployed, but the permission set {permission_set} could not be given to "
            f"the user of the app ({error.message}): assign it in Setup, Permission Sets; where the user has a licence "
            "of integrations, set SALESFORCE_PERMISSION_SET_LICENSE and run setup again",
            system=SYSTEM,
            endpoint=endpoint.template,
            status=error.status,
        ) from error
    decode(body, Created, endpoint=endpoint.template)


class _Record(msgspec.Struct, rename="pascal"):
    id: str
