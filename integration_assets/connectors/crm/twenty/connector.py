"""`TwentyCrm`: one workspace of Twenty as `connectors.crm.base.Crm`."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from pydantic import SecretStr

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.call_log import CallLogs
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Credential, secret_of
from integration_assets.connectors.crm.base import (
    CallCosts,
    CompanyChanges,
    CompanyExport,
    CompanyMapping,
    CompanyWrites,
    OpenDeals,
    Owners,
    PairLinks,
    PairsOutcome,
    PairWrite,
    PropertyAmendments,
    RecordsOutcome,
    RecordWrite,
)
from integration_assets.connectors.crm.twenty import endpoints, reads, schema
from integration_assets.connectors.crm.twenty import writes as writing
from integration_assets.connectors.crm.twenty.company_writes import TwentyCompanyWrites
from integration_assets.connectors.crm.twenty.deals import TwentyDeals
from integration_assets.connectors.crm.twenty.metadata import Metadata, read_metadata, required
from integration_assets.connectors.crm.twenty.names import TARGETS, field_name, request_object, vote_object
from integration_assets.connectors.crm.twenty.pages import pages_below, record_pages
from integration_assets.connectors.crm.twenty.session import Session
from integration_assets.connectors.crm.twenty.spec import BATCH_SIZE, CALLS_PER_MINUTE, CLOSED_STAGES, USUAL, WEB_URL
from integration_assets.connectors.crm.twenty.status_rules import RULES, SMALLER_PLANS, windows
from integration_assets.connectors.crm.twenty.values import DEFAULT_CURRENCY, default_currency
from integration_assets.connectors.crm.twenty.wire import SYSTEM
from integration_assets.connectors.http import EXCHANGE_SECONDS, PATIENCE_SECONDS, HttpClient
from integration_assets.connectors.limiter import Quota, credential_digest, limiter_for
from integration_assets.connectors.specs import ARR_PROPERTY
from integration_assets.errors import ConfigurationError, CredentialError
from integration_assets.models import (
    Company,
    Contact,
    CrmFeatureRequest,
    Link,
    LinkDefinition,
    LinkTarget,
    LiveSchema,
    ObjectDefinition,
    Page,
    Portal,
    PortalKind,
    PropertyDefinition,
    PropertyKind,
    RecordPages,
)

RUN_PERMISSIONS = frozenset({"see records", "edit records", "delete records"})
"""What the role of an API key has to allow: votes that are withdrawn are deleted, softly."""
SETUP_PERMISSIONS = frozenset({"data model"})


def workspace_of(key: SecretStr) -> str:
    """Id of the workspace an API key belongs to, as its claims say; nothing is asked.

    Raises:
        CredentialError: it is no API key of Twenty.
    """
    try:
        claims = key.get_secret_value().split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["workspaceId"]
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        found = None
    if not isinstance(found, str) or not found:
        raise CredentialError(
            "the API key of Twenty names no workspace: copy it anew from Twenty's settings, under APIs & Webhooks",
            system=SYSTEM,
        )
    return found


class TwentyCrm:
    """One workspace of Twenty, through one API key. See `connectors.crm.base.Crm` for what each method promises.

    Args:
        client: An open client with `status_rules.RULES`; the caller closes it.
        key: The API key, for the workspace it names.
        closed_stages: API values of the stages of opportunities that are won or lost.
        batch_size: Records written in one call.
        arr_field: API name of the field of companies that holds their ARR, whose currency is the workspace's.
        page_base: Address below which people see records; None: not known.
    """

    pairs_per_removal = endpoints.PAIRS_PER_REMOVAL
    pairs_per_archive = endpoints.PAIRS_PER_REMOVAL
    records_per_archive = endpoints.PAIRS_PER_REMOVAL
    records_per_link_read = endpoints.IDS_PER_LINK_READ
    addresses_per_read = endpoints.ADDRESSES_PER_READ
    costs = CallCosts(
        schema=endpoints.SCHEMA_CALLS,
        missing_object=endpoints.SCHEMA_CALLS,
        writing=endpoints.WRITING_CALLS,
        labels=0,
        records_per_page=endpoints.RECORDS_PER_PAGE,
        # The company of a person comes with the person.
        contacts_per_call=endpoints.RECORDS_PER_PAGE,
        links_per_page=endpoints.RECORDS_PER_PAGE,
        links_together=True,
        lists_contacts=True,
    )
    company_changes: CompanyChanges | None = None
    company_export: CompanyExport | None = None

    def __init__(
        self,
        client: HttpClient,
        key: SecretStr,
        *,
        closed_stages: Sequence[str] = (),
        batch_size: int = endpoints.RECORDS_PER_BATCH,
        arr_field: str | None = None,
        page_base: str | None = None,
    ) -> None:
        self._arr_field = arr_field
        self._page_base = page_base
        self.records_per_write = self.pairs_per_write = batch_size
        self._client = client
        self._key = key
        self._session = Session(client)
        self._people = reads.People(self._session)
        self.company_writes: CompanyWrites | None = TwentyCompanyWrites(self._session)
        self._metadata: Metadata | None = None
        self.deals: OpenDeals | None = TwentyDeals(self._session, self._any_metadata, closed_stages)
        self.owners: Owners | None = None
        self.property_amendments: PropertyAmendments | None = None

    @property
    def name(self) -> str:
        """Provider name."""
        return SYSTEM

    @property
    def quota(self) -> Quota:
        """Return what is known of a daily quota: Twenty has none."""
        return self._client.quota

    async def portal(self) -> Portal:
        """Identity of the workspace: the one the key names, once the server has taken the key.

        Twenty does not tell what a workspace is for.
        """
        workspace_of(self._key)  # before a call is made with what is no key
        return self._portal(await read_metadata(self._session), record_pages(self._page_base))

    def _portal(self, metadata: Metadata, pages: RecordPages) -> Portal:
        currency = schema.workspace_currency(metadata, self._arr_field)
        return Portal(workspace_of(self._key), PortalKind.OTHER, currency, pages=pages)

    async def granted_scopes(self) -> frozenset[str] | None:
        """None: Twenty does not tell what the role of a key allows."""
        return None

    def needed_scopes(self, *, setup: bool, link_contacts: bool) -> frozenset[str]:
        """Permissions of the key's role that a run needs, and setup with it. People are seen like all records."""
        return RUN_PERMISSIONS | SETUP_PERMISSIONS if setup else RUN_PERMISSIONS

    # -- reading

    async def schema(self, definition: ObjectDefinition, company_properties: Collection[str]) -> LiveSchema:
        """Read what the workspace has of ours now."""
        metadata = await self._read_metadata(definition)
        portal = self._portal(metadata, record_pages(self._page_base, definition))
        return schema.live_schema(metadata, definition, company_properties, portal)

    async def archived_properties(self, definition: ObjectDefinition) -> tuple[str, ...]:
        """Names of our properties whose fields are switched off."""
        return schema.inactive_properties(await self._known_metadata(definition), definition)

    async def companies(self, mapping: CompanyMapping) -> AsyncIterator[Page[Company]]:
        """All live companies.

        Raises:
            ConfigurationError: a mapped field does not exist.
        """
        await self._check_mapped(mapping)
        async for page in reads.companies(self._session, mapping):
            yield page

    async def contacts(self, emails: Sequence[str]) -> Page[Contact]:
        """The people with these addresses, as of the first time this connector was asked for any."""
        return await self._people.with_addresses(emails)

    async def feature_requests(
        self, definition: ObjectDefinition, *, archived: bool
    ) -> AsyncIterator[Page[CrmFeatureRequest]]:
        """All live records of our object, or all in the bin."""
        if not await self._has(definition):
            return
        plural = request_object(definition).plural
        async for page in reads.feature_requests(self._session, plural, definition, archived=archived):
            yield page

    async def feature_requests_by_key(
        self, definition: ObjectDefinition, keys: Sequence[str]
    ) -> Mapping[str, CrmFeatureRequest]:
        """The live records with these keys."""
        _check_size(keys, self.records_per_write, "keys")
        if not keys or not await self._has(definition):
            return {}
        return await reads.feature_requests_by_key(self._session, request_object(definition).plural, definition, keys)

    async def links(
        self, definition: ObjectDefinition, record_ids: Sequence[str], target: LinkTarget
    ) -> tuple[Link, ...]:
        """All labels between these records and records of `target`."""
        _check_size(record_ids, self.records_per_link_read, "record ids")
        ids = reads.with_id_form(record_ids)
        if not ids or not await self._has_votes(definition):
            return ()
        return await reads.links(self._session, definition, target, ids)

    async def links_of_pairs(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairLinks:
        """All labels of these pairs, all of one target."""
        _check_size({pair.target_id for pair in pairs}, self.records_per_link_read, "target ids")
        if not pairs or not await self._has_votes(definition):
            return PairLinks(())
        asked = {(pair.record_id, pair.target_id) for pair in pairs}
        found = await reads.links(
            self._session,
            definition,
            _one_target(pairs),
            reads.with_id_form(record_id for record_id, _ in asked),
            reads.with_id_form(target_id for _, target_id in asked),
        )
        return PairLinks(tuple(one for one in found if (one.record_id, one.target_id) in asked))

    # -- writing

    async def upsert(self, definition: ObjectDefinition, writes: Sequence[RecordWrite]) -> RecordsOutcome:
        """Create or update records by our key."""
        _check_size(writes, self.records_per_write, "records")
        if not writes:
            return RecordsOutcome(())
        currency = await self._currency(definition)
        return await writing.upsert(self._session, request_object(definition).plural, definition, writes, currency)

    async def link(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        """Give pairs their labels, all of one target."""
        _check_size(pairs, self.pairs_per_write, "pairs")
        if not pairs:
            return PairsOutcome(())
        await self._votes_required(definition)
        return await writing.link(self._session, definition, _one_target(pairs), pairs, self.records_per_write)

    async def unlink(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        """Take labels off pairs, all of one target."""
        _check_size(pairs, self.pairs_per_removal, "pairs")
        if not pairs:
            return PairsOutcome(())
        await self._votes_required(definition)
        return await writing.unlink(self._session, definition, _one_target(pairs), pairs)

    async def unlink_whole(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        """Take all labels off pairs, all of one target."""
        _check_size(pairs, self.pairs_per_archive, "pairs")
        if not pairs:
            return PairsOutcome(())
        await self._votes_required(definition)
        return await writing.unlink_whole(self._session, definition, _one_target(pairs), pairs)

    # -- schema (setup only)

    async def create_object(self, definition: ObjectDefinition) -> None:
        """Create our object with the name it is shown by."""
        self._metadata = None
        await schema.create_object(self._session, definition)

    async def create_group(self, definition: ObjectDefinition) -> None:
        """Nothing to create: Twenty has no groups of fields."""

    async def create_properties(self, definition: ObjectDefinition, properties: Sequence[PropertyDefinition]) -> None:
        """Create the fields of these properties."""
        currency = schema.workspace_currency(await self._any_metadata(), self._arr_field)
        self._metadata = None
        await schema.create_properties(self._session, definition, properties, currency)

    async def create_link(self, definition: ObjectDefinition, link: LinkDefinition) -> None:
        """Create what votes with this label need."""
        self._metadata = None
        await schema.create_link(self._session, definition, link)

    # -- what is known of the schema

    async def _read_metadata(self, definition: ObjectDefinition) -> Metadata:
        ours = request_object(definition).singular, vote_object(definition).singular
        self._metadata = await read_metadata(self._session, *ours)
        return self._metadata

    async def _known_metadata(self, definition: ObjectDefinition) -> Metadata:
        return self._metadata if self._metadata is not None else await self._read_metadata(definition)

    async def _any_metadata(self) -> Metadata:
        """The objects of the workspace, of which ours may not tell what is unique."""
        return self._metadata if self._metadata is not None else await read_metadata(self._session)

    async def _has(self, definition: ObjectDefinition) -> bool:
        one = (await self._known_metadata(definition)).get(request_object(definition).singular)
        return one is not None and one.is_active

    async def _has_votes(self, definition: ObjectDefinition) -> bool:
        one = (await self._known_metadata(definition)).get(vote_object(definition).singular)
        return one is not None and one.is_active

    async def _votes_required(self, definition: ObjectDefinition) -> None:
        required(await self._known_metadata(definition), vote_object(definition).singular)

    async def _currency(self, definition: ObjectDefinition) -> str:
        """Currency in which amounts are written: the one that the field of amounts gives to new ones.

        Raises:
            HeldError: our object does not exist.
        """
        one = required(await self._known_metadata(definition), request_object(definition).singular)
        amounts = [item.name for item in definition.properties if item.kind is PropertyKind.MONEY]
        fields = [field for name in amounts if (field := one.field(field_name(definition, name))) is not None]
        known = (default_currency(field.default_value) for field in fields)
        return next(filter(None, known), DEFAULT_CURRENCY)

    async def _check_mapped(self, mapping: CompanyMapping) -> None:
        if not mapping.names():
            return
        metadata = await self._any_metadata()
        company = metadata.get(TARGETS["company"])
        missing = [name for name in mapping.names() if company is None or company.field(name) is None]
        # Absent from every record, it would leave every company without a figure, and without a word.
        if missing:
            raise ConfigurationError(
                f"the workspace has no company field {', '.join(missing)}; correct the setting that names it, by the "
                "API name in Twenty's settings, under Data model",
                system=SYSTEM,
            )


@asynccontextmanager
async def twenty(
    *,
    base_url: str,
    credential: Credential,
    calls: CallCounter,
    before_write: Callable[[], None] | None = None,
    deadline: float = EXCHANGE_SECONDS,
    patience: float = PATIENCE_SECONDS,
    limits_in: CallLogs | None = None,
    guard: AddressGuard | None = None,
    options: Mapping[str, str] | None = None,
    setup_credential: Credential | None = None,
) -> AsyncIterator[TwentyCrm]:
    """Open the connector of one workspace. All connectors of one key share its limiter.

    Args:
        base_url: `https://api.twenty.com`, or that of a server of one's own.
        credential: An API key.
        calls: Where calls are counted, under "twenty".
        before_write: Called just before each request that can change the workspace; what it raises ends the call.
        deadline: Seconds for one request, to the last byte of its answer.
        patience: Seconds after which a request is not repeated any more.
        guard: Decides which addresses may be asked; None when `base_url` is the operator's own.
        limits_in: Logs by which processes share the limiter of a credential; None: only this process has it.
        options: Settings of the spec, by name.
        setup_credential: Not taken: setup is made by whoever runs.
    """
    token = secret_of(credential)
    settings = {**USUAL, **(options or {})}
    per_minute = int(settings[CALLS_PER_MINUTE])
    digest = credential_digest(base_url, token.get_secret_value())
    client = HttpClient(
        system=SYSTEM,
        base_url=base_url,
        limiter=limiter_for(
            SYSTEM,
            digest,
            windows(per_minute),
            plans=[windows(calls) for calls in SMALLER_PLANS if calls < per_minute],
            logs=limits_in,
        ),
        calls=calls,
        rules=RULES,
        headers={"authorization": SecretStr(f"Bearer {token.get_secret_value()}")},
        before_write=before_write,
        deadline=deadline,
        patience=patience,
        guard=guard,
    )
    async with client:
        yield TwentyCrm(
            client,
            token,
            closed_stages=settings[CLOSED_STAGES].split(","),
            batch_size=int(settings[BATCH_SIZE]),
            arr_field=settings.get(ARR_PROPERTY),
            page_base=pages_below(base_url, settings.get(WEB_URL)),
        )


def _check_size(items: Collection[object], most: int, what: str) -> None:
    """Refuse a batch that is larger than a call takes, before it costs one.

    Raises:
        ValueError: too many; the caller cuts its batches by the maxima of the connector.
    """
    if len(items) > most:
        raise ValueError(f"{len(items)} {what} in one call; Twenty takes {most}")


def _one_target(pairs: Sequence[PairWrite]) -> LinkTarget:
    targets = {pair.target for pair in pairs}
    if len(targets) != 1:
        raise ValueError("all pairs of one call have one target")
    return targets.pop()
