"""`SalesforceCrm`: one Salesforce org as `connectors.crm.base.Crm`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

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
from integration_assets.connectors.crm.salesforce import deploy, endpoints, names, reads, schema
from integration_assets.connectors.crm.salesforce import links as linking
from integration_assets.connectors.crm.salesforce import writes as writing
from integration_assets.connectors.crm.salesforce.company_writes import SalesforceCompanyWrites
from integration_assets.connectors.crm.salesforce.deals import SalesforceDeals
from integration_assets.connectors.crm.salesforce.field_amendments import SalesforceAmendments
from integration_assets.connectors.crm.salesforce.metadata import Parts, everything, package
from integration_assets.connectors.crm.salesforce.session import Session, gather
from integration_assets.connectors.crm.salesforce.spec import DOMAINS_FIELD, PERMISSION_SET_LICENSE
from integration_assets.connectors.crm.salesforce.status_rules import RULES, TOKEN_RULES
from integration_assets.connectors.crm.salesforce.tokens import TokenSource
from integration_assets.connectors.crm.salesforce.wire import SYSTEM, GlobalDescribe, ObjectInfo
from integration_assets.connectors.http import EXCHANGE_SECONDS, PATIENCE_SECONDS, HttpClient
from integration_assets.connectors.limiter import Quota, credential_digest, limiter_for
from integration_assets.errors import HeldError
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

IN_FLIGHT = 5
"""Calls at a time. The limit is on calls at once and on calls in 24 hours, not on calls in a second; the smallest orgs
allow five long ones."""
READ_SCOPES = frozenset({f"{names.ACCOUNT}: read", f"{names.CONTACT}: read"})
SETUP_SCOPES = frozenset({deploy.MODIFY_METADATA})


class SalesforceCrm:
    """One org, through one credential. See `connectors.crm.base.Crm` for what each method promises.

    Args:
        session: Calls to the org as the user of a run.
        setup_session: Calls as the user who may deploy metadata; None: it is the same.
        domains_field: Field of an account that holds further domains.
        license_name: Permission-set licence that the permission set is made under.
    """

    records_per_write = endpoints.ROWS_PER_CALL
    pairs_per_write = endpoints.ROWS_PER_CALL
    pairs_per_removal = endpoints.ROWS_PER_CALL
    pairs_per_archive = endpoints.ROWS_PER_CALL
    records_per_archive = endpoints.ROWS_PER_CALL
    records_per_link_read = endpoints.VALUES_PER_QUERY
    addresses_per_read = endpoints.VALUES_PER_QUERY
    costs = CallCosts(
        schema=endpoints.SCHEMA_CALLS,
        missing_object=endpoints.SCHEMA_CALLS_WITHOUT_OBJECT,
        writing=endpoints.WRITING_CALLS,
        naming=endpoints.NAMING_CALLS,
        labels=endpoints.LABEL_CALLS,
        records_per_page=endpoints.ROWS_PER_PAGE,
        contacts_per_call=None,
        links_per_page=endpoints.ROWS_PER_PAGE,
        links_together=True,
    )
    company_export: CompanyExport | None = None
    company_changes: CompanyChanges | None = None
    """None: a page holds 2,000 accounts, so that what changed is rarely told in fewer calls than all of them."""

    def __init__(
        self,
        session: Session,
        *,
        setup_session: Session | None = None,
        domains_field: str | None = None,
        license_name: str | None = None,
    ) -> None:
        self._session = session
        self._setup = setup_session or session
        self._domains_field = domains_field
        self._license = license_name
        self._version_checked = False
        self._identity: Portal | None = None
        self._account: ObjectInfo | None = None
        self._objects: dict[str, ObjectInfo] = {}
        self.deals: OpenDeals | None = SalesforceDeals(session)
        self.company_writes: CompanyWrites | None = SalesforceCompanyWrites(session, self._setup, license_name)
        self.owners: Owners | None = None
        self.property_amendments: PropertyAmendments | None = SalesforceAmendments(session, self._deploy)

    @property
    def name(self) -> str:
        """Provider name."""
        return SYSTEM

    @property
    def quota(self) -> Quota:
        """Return the calls left of the last 24 hours as the org last said, for all its users."""
        return self._session.quota

    async def portal(self) -> Portal:
        """Identity of the org, asked anew; the version of the API is checked on the way, once.

        Raises:
            PermanentError: the org does not have the version.
        """
        if not self._version_checked:
            await schema.check_version(self._session)
            self._version_checked = True
        self._identity = await schema.portal(self._session)
        return self._identity

    async def granted_scopes(self) -> frozenset[str] | None:
        """Objects that the user may read, as far as we need them; what setup needs cannot be told."""
        found = await self._session.read(endpoints.OBJECTS, GlobalDescribe)
        readable = {f"{one.name}: read" for one in found.sobjects if one.queryable}
        return frozenset(readable & (READ_SCOPES | SalesforceDeals.scopes))

    def needed_scopes(self, *, setup: bool, link_contacts: bool) -> frozenset[str]:
        """Objects that a run reads, and the right to deploy metadata for setup; links to contacts take no more."""
        del link_contacts
        return READ_SCOPES | SETUP_SCOPES if setup else READ_SCOPES

    # -- reading

    async def schema(self, definition: ObjectDefinition, company_properties: Collection[str]) -> LiveSchema:
        """Read what the org has of ours now, as the user sees it.

        Only the identity, which a credential has for life, may be one this connector was told before.
        """
        identity = self._identity or await self.portal()
        ours_name, links_name = names.custom_name(definition.name), names.link_object(definition)
        async with gather() as group:
            reading = group.create_task(self._session.describe(ours_name))
            linked = group.create_task(self._session.describe(links_name))
            account = group.create_task(reads.account_info(self._session)) if company_properties else None
        ours, links = reading.result(), linked.result()
        self._objects = {one.name: one for one in (ours, links) if one is not None}
        self._account = account.result() if account else self._account
        hidden = await self._hidden(definition, ours, links)
        return schema.live_schema(definition, identity, ours, links, self._account, company_properties, hidden)

    async def _hidden(
        self, definition: ObjectDefinition, ours: ObjectInfo | None, links: ObjectInfo | None
    ) -> frozenset[str]:
        """Names of ours that exist, asked only where something is missing as the user sees it."""
        wanted = [names.custom_name(item.name) for item in definition.properties]
        hidden: frozenset[str] = frozenset()
        if ours is None or any(ours.field(name) is None for name in wanted):
            hidden |= await schema.existing_names(self._session, names.custom_name(definition.name))
        if links is None:
            hidden |= await schema.existing_names(self._session, names.link_object(definition))
        return hidden

    async def archived_properties(self, definition: ObjectDefinition) -> tuple[str, ...]:
        """None: a field that was deleted is renamed, and is in nobody's way."""
        del definition
        return ()

    async def companies(self, mapping: CompanyMapping) -> AsyncIterator[Page[Company]]:
        """All live accounts. Which fields there are is as of the last `schema` of this connector, if any.

        Raises:
            ConfigurationError: a mapped field does not exist, or the user does not see it.
            CredentialError: the user does not see accounts, or a standard field without which they are of no use.
        """
        self._account = self._account or await reads.account_info(self._session)
        async for page in reads.companies(self._session, self._account, mapping, self._domains_field):
            yield page

    async def contacts(self, emails: Sequence[str]) -> Page[Contact]:
        """The contacts with these addresses, with their account."""
        _check_size(emails, self.addresses_per_read, "addresses")
        return await reads.contacts(self._session, emails)

    async def feature_requests(
        self, definition: ObjectDefinition, *, archived: bool
    ) -> AsyncIterator[Page[CrmFeatureRequest]]:
        """All live, or all deleted, records of our object."""
        info = await self._object(names.custom_name(definition.name))
        if info is None:
            return
        async for page in reads.feature_requests(self._session, definition, info, archived=archived):
            yield page

    async def feature_requests_by_key(
        self, definition: ObjectDefinition, keys: Sequence[str]
    ) -> Mapping[str, CrmFeatureRequest]:
        """The live records with these keys."""
        _check_size(keys, self.records_per_write, "keys")
        info = await self._object(names.custom_name(definition.name))
        # Nothing can be there of an object that is not: a first plan is made before setup has created it.
        return await reads.feature_requests_by_key(self._session, definition, info, keys) if info else {}

    async def links(
        self, definition: ObjectDefinition, record_ids: Sequence[str], target: LinkTarget
    ) -> tuple[Link, ...]:
        """All labels between these records and records of `target`."""
        _check_size(record_ids, self.records_per_link_read, "record ids")
        if await self._object(names.link_object(definition)) is None:
            return ()
        return await linking.links(self._session, definition, record_ids, target)

    async def links_of_pairs(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairLinks:
        """All labels of these pairs, all of one target."""
        _check_size({pair.target_id for pair in pairs}, self.records_per_link_read, "record ids")
        if not pairs:
            return PairLinks(())
        await self._required(names.link_object(definition))
        return await linking.links_of_pairs(self._session, definition, _one_target(pairs), pairs)

    # -- writing

    async def upsert(self, definition: ObjectDefinition, writes: Sequence[RecordWrite]) -> RecordsOutcome:
        """Create or update records by our key."""
        _check_size(writes, self.records_per_write, "records")
        # From here on the object must be there: a write without it is held, with the advice to run setup.
        await self._required(names.custom_name(definition.name))
        return await writing.upsert(self._session, definition, writes)

    async def link(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        """Make the links of pairs, all of one target."""
        _check_size(pairs, self.pairs_per_write, "pairs")
        if not pairs:
            return PairsOutcome(())
        await self._required(names.link_object(definition))
        return await linking.link(self._session, definition, _one_target(pairs), pairs)

    async def unlink(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        """Take labels off pairs, all of one target."""
        _check_size(pairs, self.pairs_per_removal, "pairs")
        if not pairs:
            return PairsOutcome(())
        await self._required(names.link_object(definition))
        return await linking.unlink(self._session, definition, _one_target(pairs), pairs)

    async def unlink_whole(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        """End every link of pairs, all of one target."""
        _check_size(pairs, self.pairs_per_archive, "pairs")
        _check_size({pair.record_id for pair in pairs}, self.records_per_archive, "records")
        if not pairs:
            return PairsOutcome(())
        await self._required(names.link_object(definition))
        return await linking.unlink(self._session, definition, _one_target(pairs), pairs, whole=True)

    # -- schema (setup only)

    async def create_object(self, definition: ObjectDefinition) -> None:
        """Create our object with all its fields, its links, and the permission set: one deployment makes them all.

        Raises:
            ConfigurationError: the user may not deploy metadata.
            PermanentError: the org refuses a component; names it.
        """
        await self._deploy(definition, everything(definition))

    async def create_group(self, definition: ObjectDefinition) -> None:
        """Do nothing: an org has no groups of fields."""

    async def create_properties(self, definition: ObjectDefinition, properties: Sequence[PropertyDefinition]) -> None:
        """Create fields of our object, unless they came with it; fields that are hidden become visible."""
        info = await self._session.describe(names.custom_name(definition.name))
        missing = [item.name for item in properties if info is None or not info.field(names.custom_name(item.name))]
        if missing:
            # The permission set names the fields of links as well.
            unlinked = await self._session.describe(names.link_object(definition)) is None
            await self._deploy(definition, Parts(False, frozenset(missing), unlinked))

    async def create_link(self, definition: ObjectDefinition, link: LinkDefinition) -> None:
        """Create a link label, unless it came with the object; all labels are of one picklist."""
        info = await self._session.describe(names.link_object(definition))
        live = schema.live_links(definition, info)
        if all((one.target, one.name) != (link.target, link.name) for one in live):
            await self._deploy(definition, Parts(False, frozenset(), True))

    async def _deploy(self, definition: ObjectDefinition, parts: Parts) -> None:
        await deploy.deploy(self._setup, package(definition, parts, license_name=self._license))
        # The user of a run, whoever deploys: without it nothing of ours is visible to it.
        await deploy.assign(self._setup, names.PERMISSION_SET, (await self._session.identity()).user_id)
        self._objects.clear()

    # -- our objects

    async def _object(self, object_name: str) -> ObjectInfo | None:
        """The description of an object of ours; one that was missing is asked for again."""
        known = self._objects.get(object_name) or await self._session.describe(object_name)
        if known is not None:
            self._objects[object_name] = known
        return known

    async def _required(self, object_name: str) -> ObjectInfo:
        """The description of an object of ours.

        Raises:
            HeldError: it is missing, or the user does not see it.
        """
        info = await self._object(object_name)
        if info is not None:
            return info
        if object_name in await schema.existing_names(self._session, object_name):
            reason, remedy = f"{schema.UNSEEN} the object {object_name}", schema.ASSIGN
        else:
            reason, remedy = f"the org has no object {object_name}", "run setup"
        raise HeldError(f"{reason}; {remedy}", reasons=(reason,))


@asynccontextmanager
async def salesforce(
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
    audience: str | None = None,
) -> AsyncIterator[SalesforceCrm]:
    """Open the connector of one org.

    Args:
        base_url: Address of the org's My Domain, or that of a look-alike.
        credential: A token, or the secret or key of an app.
        calls: Where calls are counted, under "salesforce".
        before_write: Called just before each request that can change the org; what it raises ends the call.
        deadline: Seconds for one request, to the last byte of its answer.
        patience: Seconds after which a request is not repeated any more.
        limits_in: Logs by which processes share the limiter of a credential; None: only this process has it.
        guard: Decides which addresses may be asked; None when `base_url` is the operator's own.
        options: Settings of the spec, by name.
        setup_credential: Who deploys metadata; None: whoever runs.
        audience: Whom the assertion of a key is for; None: as the host says.
    """
    settings = options or {}
    async with AsyncExitStack() as stack:

        async def session_of(signed_by: Credential) -> Session:
            digest = credential_digest(base_url, secret_of(signed_by).get_secret_value())
            # Without windows: it carries only what a refusal for too many calls at once makes wait.
            limiter = limiter_for(SYSTEM, digest, {}, logs=limits_in)
            open_client = partial(
                HttpClient,
                system=SYSTEM,
                base_url=base_url,
                limiter=limiter,
                calls=calls,
                deadline=deadline,
                patience=patience,
                guard=guard,
            )
            signing_in = await stack.enter_async_context(open_client(rules=TOKEN_RULES))
            client = await stack.enter_async_context(
                open_client(rules=RULES, before_write=before_write, in_flight=IN_FLIGHT)
            )
            return Session(client, TokenSource(signing_in, signed_by, base_url, audience=audience))

        yield SalesforceCrm(
            await session_of(credential),
            setup_session=await session_of(setup_credential) if setup_credential else None,
            domains_field=settings.get(DOMAINS_FIELD) or None,
            license_name=settings.get(PERMISSION_SET_LICENSE) or None,
        )


def _check_size(items: Collection[object], most: int, what: str) -> None:
    """Refuse a batch Salesforce would refuse, before it costs a call.

    Raises:
        ValueError: too many; the caller cuts its batches by the maxima of the connector.
    """
    if len(items) > most:
        raise ValueError(f"{len(items)} {what} in one call; Salesforce takes {most}")


def _one_target(pairs: Sequence[PairWrite]) -> LinkTarget:
    targets = {pair.target for pair in pairs}
    if len(targets) != 1:
        raise ValueError("all pairs of one call have one target")
    return targets.pop()
