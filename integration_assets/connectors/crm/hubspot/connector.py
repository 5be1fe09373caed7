"""`HubSpotCrm`: one HubSpot portal as `connectors.crm.base.Crm`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec
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
from integration_assets.connectors.crm.hubspot import endpoints, library_schema, reads, schema
from integration_assets.connectors.crm.hubspot import writes as writing
from integration_assets.connectors.crm.hubspot.company_changes import HubSpotCompanyChanges
from integration_assets.connectors.crm.hubspot.company_writes import HubSpotCompanyWrites
from integration_assets.connectors.crm.hubspot.deals import HubSpotDeals
from integration_assets.connectors.crm.hubspot.exports import HubSpotCompanyExport
from integration_assets.connectors.crm.hubspot.ids import PortalIds
from integration_assets.connectors.crm.hubspot.library import CUSTOM, LIBRARY, Place
from integration_assets.connectors.crm.hubspot.library_schema import LibraryState
from integration_assets.connectors.crm.hubspot.owners import HubSpotOwners
from integration_assets.connectors.crm.hubspot.property_amendments import HubSpotAmendments
from integration_assets.connectors.crm.hubspot.schema import CompanyProperties
from integration_assets.connectors.crm.hubspot.session import Session
from integration_assets.connectors.crm.hubspot.status_rules import RULES, WINDOWS
from integration_assets.connectors.crm.hubspot.wire import SYSTEM, TokenInfo
from integration_assets.connectors.http import EXCHANGE_SECONDS, PATIENCE_SECONDS, HttpClient
from integration_assets.connectors.limiter import Quota, credential_digest, limiter_for
from integration_assets.errors import ConfigurationError
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
    PropertyDefinition,
)

OUR_OWN = Place()
OBJECT = "object"
"""Name of the option that chooses the object."""

READ_SCOPES = frozenset({"crm.objects.companies.read", "crm.objects.contacts.read", "crm.schemas.companies.read"})
"""Contacts are read whether or not they are linked: they are evidence of a voter's company."""
CUSTOM_SCOPES = frozenset({"crm.objects.custom.read", "crm.objects.custom.write", "crm.schemas.custom.read"})
"""Scopes of an object of our own."""
RUN_SCOPES = READ_SCOPES | CUSTOM_SCOPES
LINK_COMPANIES_SCOPES = frozenset({"crm.objects.companies.write"})
LINK_CONTACTS_SCOPES = frozenset({"crm.objects.contacts.write"})
"""Associations have no scope of their own: associating counts as a write to the objects at both ends."""
SETUP_SCOPES = frozenset({"crm.schemas.custom.write"})


class HubSpotCrm:
    """One HubSpot portal, through one credential. See `connectors.crm.base.Crm` for what each method promises.

    Args:
        client: An open client with `status_rules.RULES`; the caller closes it.
        token: The credential, for the one call that asks what it may do.
    """

    records_per_write = endpoints.RECORDS_PER_CALL
    pairs_per_write = endpoints.PAIRS_PER_CREATE
    pairs_per_removal = endpoints.PAIRS_PER_LABEL_ARCHIVE
    pairs_per_archive = endpoints.PAIRS_PER_ARCHIVE
    records_per_archive = endpoints.RECORDS_PER_ARCHIVE
    records_per_link_read = endpoints.IDS_PER_ASSOCIATION_READ
    addresses_per_read = endpoints.IDS_PER_ASSOCIATION_READ

    def __init__(self, client: HttpClient, token: SecretStr, place: Place = OUR_OWN) -> None:
        self._client = client
        self._token = token
        self._session = Session(client)
        self._place = place
        self._ids = PortalIds(self._session, place)
        self._library_state: LibraryState | None = None
        self.costs = _costs(place)
        self._identity: Portal | None = None
        self._company_properties: CompanyProperties | None = None
        self.company_export: CompanyExport | None = None
        self.company_changes: CompanyChanges | None = HubSpotCompanyChanges(self._session)
        self.company_writes: CompanyWrites | None = HubSpotCompanyWrites(self._session)
        self.deals: OpenDeals | None = HubSpotDeals(self._session)
        self.owners: Owners | None = HubSpotOwners(self._session)
        self.property_amendments: PropertyAmendments | None = HubSpotAmendments(self._session, self._ids, self._place)

    @property
    def name(self) -> str:
        """Provider name."""
        return SYSTEM

    @property
    def quota(self) -> Quota:
        """Return the calls left today as HubSpot last said, for the whole account."""
        return self._client.quota

    async def portal(self) -> Portal:
        """Identity of the portal, asked anew."""
        # Asked anew by whoever wants to be sure of it, kept for `schema`, which need not ask a second time.
        self._identity = await schema.portal(self._session)
        return self._identity

    async def granted_scopes(self) -> frozenset[str] | None:
        """Scopes of the token; None where HubSpot does not tell (tokens of OAuth apps, for one)."""
        # In the body, as this one endpoint wants it: no log or error holds the body of a request.
        body = {"tokenKey": self._token.get_secret_value()}
        info = await self._session.read_where_told("POST", endpoints.token_info(), TokenInfo, json=body)
        return frozenset(info.scopes) if info else None

    def needed_scopes(self, *, setup: bool, link_contacts: bool) -> frozenset[str]:
        """Scopes a run needs, and setup with it."""
        # A link is a write to both of its ends.
        library = self._place.library
        # Of the objects of the library no further scopes are documented; `setup` needs those of their records.
        scopes = READ_SCOPES | LINK_COMPANIES_SCOPES | (library.scopes if library else CUSTOM_SCOPES)
        if link_contacts:
            scopes |= LINK_CONTACTS_SCOPES
        return scopes | SETUP_SCOPES if setup and library is None else scopes

    # -- reading

    async def schema(self, definition: ObjectDefinition, company_properties: Collection[str]) -> LiveSchema:
        """Read what the portal has of ours now, and look up ids anew on the way.

        Only the identity, which a credential has for life, may be one this connector was told before.
        """
        if self._place.library is not None:
            live, properties = await library_schema.live_schema(
                self._session, self._ids, self._place, definition, company_properties, identity=self._identity
            )
        else:
            live, properties = await schema.live_schema(
                self._session, self._ids, definition, company_properties, identity=self._identity
            )
            absent = not (live.object_present or live.object_archived)
            if absent and not await schema.has_custom_objects(self._session):
                obstacle = await library_schema.no_custom_objects(self._session, definition)
                live = msgspec.structs.replace(live, obstacles=(obstacle,))
        # A look at the schema without a mapped property reads none of the names; what was known of them stays.
        self._identity, self._company_properties = live.portal, properties or self._company_properties
        return live

    async def archived_properties(self, definition: ObjectDefinition) -> tuple[str, ...]:
        """Names of our properties that exist archived; none when the object does not exist."""
        object_type = await self._ids.object_type(definition)
        # Without the object there is no address to ask for its properties at.
        if object_type is None:
            return ()
        stored, names = self._place.stored(definition), self._place.neutral_names(definition)
        found = await schema.archived_properties(self._session, object_type, stored)
        return tuple(names[name] for name in found)

    def companies(self, mapping: CompanyMapping) -> AsyncIterator[Page[Company]]:
        """All live companies. Which properties there are is as of the last `schema` of this connector, if any.

        Raises:
            ConfigurationError: a mapped property does not exist.
        """
        return reads.companies(self._session, mapping, self._company_properties)

    async def contacts(self, emails: Sequence[str]) -> Page[Contact]:
        """The contacts with these addresses; an address HubSpot refuses is rejected under a digest of it."""
        _check_size(emails, self.addresses_per_read, "addresses")
        return await reads.contacts(self._session, emails)

    async def feature_requests(
        self, definition: ObjectDefinition, *, archived: bool
    ) -> AsyncIterator[Page[CrmFeatureRequest]]:
        """All live, or all archived, records of our object."""
        object_type = await self._ids.object_type(definition)
        if object_type is None:
            return
        place = self._place
        async for page in reads.feature_requests(
            self._session,
            object_type,
            place.stored(definition),
            archived=archived,
            is_ours=lambda entry: place.is_ours(definition, entry),
        ):
            yield msgspec.structs.replace(page, records=tuple(place.read(definition, one) for one in page.records))

    async def feature_requests_by_key(
        self, definition: ObjectDefinition, keys: Sequence[str]
    ) -> Mapping[str, CrmFeatureRequest]:
        """The live records with these keys."""
        _check_size(keys, self.records_per_write, "keys")
        object_type = await self._ids.object_type(definition)
        # Nothing can be there of an object that is not: a first plan is made before setup has created it.
        if object_type is None:
            return {}
        place = self._place
        found = await reads.feature_requests_by_key(
            self._session,
            object_type,
            place.stored(definition),
            keys,
            is_ours=lambda entry: place.is_ours(definition, entry),
        )
        return {key: place.read(definition, record) for key, record in found.items()}

    async def links(
        self, definition: ObjectDefinition, record_ids: Sequence[str], target: LinkTarget
    ) -> tuple[Link, ...]:
        """All labels between these records and records of `target`."""
        _check_size(record_ids, self.records_per_link_read, "record ids")
        object_type = await self._ids.object_type(definition)
        if object_type is None:
            return ()
        types = await self._ids.link_types(definition, target)
        return await reads.links(self._session, object_type, target, types, record_ids)

    async def links_of_pairs(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairLinks:
        """All labels of these pairs, all of one target, read from the side of the target."""
        _check_size({pair.target_id for pair in pairs}, self.records_per_link_read, "record ids")
        if not pairs:
            return PairLinks(())
        target = _one_target(pairs)
        object_type = await self._ids.required_object_type(definition)
        types = await self._ids.link_types(definition, target)
        return await reads.links_of_pairs(self._session, object_type, target, types, pairs)

    # -- writing

    async def upsert(self, definition: ObjectDefinition, writes: Sequence[RecordWrite]) -> RecordsOutcome:
        """Create or update records by our key."""
        _check_size(writes, self.records_per_write, "records")
        # From here on the object must be there: a write without it is held, with the advice to run setup.
        object_type = await self._ids.required_object_type(definition)
        stored = await self._as_stored(definition, writes)
        return await writing.upsert(self._session, object_type, self._place.stored(definition), stored)

    async def _as_stored(self, definition: ObjectDefinition, writes: Sequence[RecordWrite]) -> Sequence[RecordWrite]:
        """The writes under the portal's names, with HubSpot's own values that go with them."""
        library = self._place.library
        if library is None:
            return writes
        if self._library_state is None:
            self._library_state = await library_schema.library_state(self._session, self._place, definition)
        state = self._library_state
        return [
            msgspec.structs.replace(
                write,
                values=self._place.written(definition, write.values) | state.beside(library, definition, write),
            )
            for write in writes
        ]

    async def link(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        """Set the labels of pairs, all of one target."""
        _check_size(pairs, self.pairs_per_write, "pairs")
        if not pairs:
            return PairsOutcome(())
        target = _one_target(pairs)
        types = await self._ids.link_types(definition, target)
        object_type = await self._ids.required_object_type(definition)
        return await writing.link(self._session, object_type, target, types, pairs)

    async def unlink(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        """Take labels off pairs, all of one target."""
        _check_size(pairs, self.pairs_per_removal, "pairs")
        if not pairs:
            return PairsOutcome(())
        target = _one_target(pairs)
        types = await self._ids.link_types(definition, target)
        object_type = await self._ids.required_object_type(definition)
        return await writing.unlink(self._session, object_type, target, types, pairs)

    async def unlink_whole(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        """End every association of pairs, all of one target."""
        _check_size(pairs, self.pairs_per_archive, "pairs")
        # Two limits: of the pairs and of the records at their start, of which the call takes fewer.
        _check_size({pair.record_id for pair in pairs}, self.records_per_archive, "records")
        if not pairs:
            return PairsOutcome(())
        object_type = await self._ids.required_object_type(definition)
        return await writing.unlink_whole(self._session, object_type, _one_target(pairs), pairs)

    # -- schema (setup only)

    async def create_object(self, definition: ObjectDefinition) -> None:
        """Create our object with its display property.

        Raises:
            ConfigurationError: our records are kept in an object of the library, which only people activate.
        """
        if self._place.library is not None:
            raise ConfigurationError(f"{self._place.library.name} can only be activated by a person", system=SYSTEM)
        await schema.create_object(self._session, self._ids, definition)

    async def create_group(self, definition: ObjectDefinition) -> None:
        """Create our property group, and our pipeline where one is needed; an existing one is left as it is."""
        object_type = await self._ids.required_object_type(definition)
        await schema.create_group(self._session, object_type, definition)
        if self._place.library is not None:
            await library_schema.create_pipeline(self._session, self._place, definition)
            self._library_state = None

    async def create_properties(self, definition: ObjectDefinition, properties: Sequence[PropertyDefinition]) -> None:
        """Create properties in our group, and bring the display property into it."""
        object_type = await self._ids.required_object_type(definition)
        stored, names = self._place.stored(definition), {item.name for item in properties}
        neutral = self._place.neutral_names(definition)
        wanted = [item for item in stored.properties if neutral[item.name] in names]
        await schema.create_properties(self._session, object_type, stored, wanted)
        self._library_state = None

    async def create_link(self, definition: ObjectDefinition, link: LinkDefinition) -> None:
        """Create a link label with its inverse."""
        object_type = await self._ids.required_object_type(definition)
        await schema.create_link(self._session, object_type, link)
        self._ids.forget_links()


@asynccontextmanager
async def hubspot(
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
) -> AsyncIterator[HubSpotCrm]:
    """Open the connector of one portal. All connectors of one credential share its limiter.

    Args:
        base_url: `https://api.hubapi.com`, or that of a look-alike.
        credential: Token of a private app, or a service key.
        calls: Where calls are counted, under "hubspot".
        before_write: Called just before each request that can change the portal; what it raises ends the call.
        deadline: Seconds for one request, to the last byte of its answer.
        patience: Seconds after which a request is not repeated any more.
        guard: Decides which addresses may be asked; None when `base_url` is the operator's own.
        limits_in: Logs by which processes share the limiter of a credential; None: only this process has it.
        options: `object`, the object that holds our records: "custom", or one of the library.
        setup_credential: Not taken: setup is made by whoever runs.
    """
    place = Place(LIBRARY.get((options or {}).get(OBJECT, CUSTOM)))
    token = secret_of(credential)
    digest = credential_digest(base_url, token.get_secret_value())
    # By a digest: the name of the credential's file must give nothing of it away.
    limiter = limiter_for(SYSTEM, digest, WINDOWS, logs=limits_in)
    client = HttpClient(
        system=SYSTEM,
        base_url=base_url,
        limiter=limiter,
        calls=calls,
        rules=RULES,
        # Still a secret: it is unwrapped only while sending.
        headers={"authorization": SecretStr(f"Bearer {token.get_secret_value()}")},
        before_write=before_write,
        deadline=deadline,
        patience=patience,
        guard=guard,
    )
    async with client:
        crm = HubSpotCrm(client, token, place)
        if guard is None:  # the file may be on any host: not for addresses that have to be checked
            crm.company_export = HubSpotCompanyExport(Session(client), base_url, calls)
        yield crm


def _costs(place: Place) -> CallCosts:
    in_library = place.library is not None
    writing_calls = endpoints.LIBRARY_WRITING_CALLS if in_library else endpoints.WRITING_CALLS
    return CallCosts(
        schema=endpoints.LIBRARY_SCHEMA_CALLS if in_library else endpoints.SCHEMA_CALLS,
        missing_object=(
            endpoints.LIBRARY_CALLS_WITHOUT_OBJECT if in_library else endpoints.SCHEMA_CALLS_WITHOUT_OBJECT
        ),
        writing=writing_calls,
        naming=writing_calls - endpoints.SCOPE_CALLS,
        labels=endpoints.LABEL_CALLS,
        records_per_page=endpoints.RECORDS_PER_CALL,
        contacts_per_call=endpoints.IDS_PER_ASSOCIATION_READ,
        links_per_page=endpoints.LINKS_PER_PAGE,
    )


def _check_size(items: Collection[object], most: int, what: str) -> None:
    """Refuse a batch HubSpot would refuse, before it costs a call.

    Raises:
        ValueError: too many; the caller cuts its batches by the maxima of the connector.
    """
    if len(items) > most:
        raise ValueError(f"{len(items)} {what} in one call; HubSpot takes {most}")


def _one_target(pairs: Sequence[PairWrite]) -> LinkTarget:
    targets = {pair.target for pair in pairs}
    if len(targets) != 1:
        raise ValueError("all pairs of one call have one target")
    return targets.pop()
