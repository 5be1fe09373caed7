"""Settings: the columns of a table of one's own, proposed from its files, changed in a form, and saved.

Only files of the folder that the operator keeps for the tenant are looked at, and https addresses behind the tenant's
address guard, as a run would.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from starlette.responses import Response

from integration_assets.connectors.feedback.table.first_rows import Look, first_rows
from integration_assets.connectors.feedback.table.mapping import TYPE_OF_SUFFIX, FileType, TableMapping, read_mapping
from integration_assets.connectors.feedback.table.proposal import propose
from integration_assets.connectors.feedback.table.samples import sample
from integration_assets.connectors.feedback.table.writing import mapping_text
from integration_assets.errors import ConfigurationError, IntegrationError, PermanentError
from integration_assets.masking import mask_addresses
from integration_assets.tenants.integrations import TENANTS_FILES, folder_of_tenant
from integration_assets.tenants.registry.changes import NewThirdParty, ThirdPartyChanges
from integration_assets.tenants.registry.views import ThirdPartyView
from integration_assets.tenants.registry.words import Provider, Scope
from integration_assets.web import form_versions, integration_changes
from integration_assets.web.answers import redirect
from integration_assets.web.audit_notes import note
from integration_assets.web.connection_tests import run_counted
from integration_assets.web.form_values import below, typed
from integration_assets.web.pages_third_party import PATH as THIRD_PARTY
from integration_assets.web.problems import Problem
from integration_assets.web.rendering import render
from integration_assets.web.request_context import Form, RequestContext
from integration_assets.web.table_form import (
    PROVIDER,
    SETTING,
    Headers,
    labels,
    mapping_of,
    problems_of,
    relation_fields,
    values_of,
    why_not_shown,
)
from integration_assets.web.table_sources import (
    ADDRESSES,
    LARGEST_SHOWN,
    Asked,
    Source,
    asked_addresses,
    fetched_sources,
    token_of,
    why_not_asked,
    with_addresses,
    with_names,
)
from integration_assets.whole_files import write_whole

MOST_FILES = 100
"""Files that are listed. More of them are no exports of one table."""
MOST_PICKED = 12
USUAL_NAME = "feedback.toml"
REFUSED = HTTPStatus.BAD_REQUEST


class Workplace(msgspec.Struct, frozen=True):
    """The tenant's folder with its files, the integration if there is one, and its mapping as far as it is known."""

    folder: Path
    files: tuple[str, ...]
    view: ThirdPartyView | None
    current: str
    kept: TableMapping
    remark: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that the mapping names, each once."""
        return tuple(dict.fromkeys(one.file or "" for one in self.kept.relations().values() if one.is_web))

    @property
    def declared(self) -> dict[str, FileType]:
        """Types that the mapping gives its addresses."""
        return {one.file: one.type for one in self.kept.relations().values() if one.file and one.type and one.is_web}

    @property
    def shown(self) -> dict[str, str]:
        """Values of the mapping that the form shows."""
        return {**values_of(self.kept), "name": self.current}

    @property
    def mapped_files(self) -> list[str]:
        """The files that the mapping names."""
        return sorted({one.file for one in self.kept.relations().values() if one.file and not one.is_web})

    def taken(self) -> list[str]:
        """Names of files in the folder, but for the mapping that is in use."""
        return [one for one in _names(self.folder) if one != self.current]

    def without_folder(self, message: str) -> str:
        """A message that does not say where the folder is, which is the operator's business."""
        return message.replace(str(self.folder.resolve()), "your folder").replace(str(self.folder), "your folder")


class Seen(msgspec.Struct, frozen=True):
    """First rows; or the `problem` with reading them, or a `remark` on why they are not shown."""

    look: Look | None = None
    problem: str = ""
    remark: str = ""


def choose(context: RequestContext) -> Response:
    """The mapping in use, to be changed; else the files to propose one from."""
    place = _workplace(context, context.query("integration"))
    if not (place.mapped_files or place.addresses) or context.query("files"):
        return _files_page(context, place)
    asked, _ = asked_addresses([token_of(url) for url in place.addresses], "", place.addresses)
    with _scratch() as scratch:
        sources, errors = _sources(context, place, place.mapped_files, asked, scratch)
        if errors:
            return _files_page(context, place, errors)
        values = values_of(with_names(place.kept, sources))
        return _columns_page(context, place, sources, {**values, "name": place.current})


def work(context: RequestContext) -> Response:
    """Propose a mapping, show the first rows by what was typed, or save it."""
    form = context.form
    place = _workplace(context, form.text("integration"))
    picked = [one for one in dict.fromkeys(below(form, "pick").values()) if one in place.files][:MOST_PICKED]
    asked, wrong = asked_addresses(list(below(form, "address").values()), form.raw(ADDRESSES), place.addresses)
    if not picked and not asked:
        return _files_page(context, place, {"pick": "choose at least one file, or name an address"}, REFUSED)
    if wrong := wrong or why_not_asked(asked, context.settings, context.own.slug):
        return _files_page(context, place, {ADDRESSES: wrong}, REFUSED)
    with _scratch() as scratch:
        sources, unreadable = _sources(context, place, picked, asked, scratch)
        if unreadable:
            return _files_page(context, place, unreadable, REFUSED)
        return _worked(context, place, sources)


def _worked(context: RequestContext, place: Workplace, sources: Sequence[Source]) -> Response:
    form = context.form
    if form.text("do") == "propose":
        return _proposed(context, place, sources)
    errors = problems_of(form, _headers(sources), taken=place.taken())
    if errors:
        return _columns_page(context, place, sources, typed(form), errors, status=REFUSED)
    mapping = with_addresses(mapping_of(form, place.kept), sources)
    seen = asyncio.run(_look(place, mapping, sources))
    # Not what cannot be read: the next run would end in the same words.
    if form.text("do") == "save" and not seen.problem:
        # As it is now: to fetch what lies behind addresses takes a while.
        stored = _workplace(context, form.text("integration"))
        if form_versions.is_outdated(form, form_versions.version_of(stored.shown)):
            values = values_of(with_names(stored.kept, sources))
            problem = form_versions.outdated(form, values, labels())
            return _columns_page(
                context, stored, sources, typed(form), problem.errors, seen=seen, status=problem.status
            )
        return _saved(context, stored, form.text("name"), mapping)
    status = REFUSED if seen.problem else HTTPStatus.OK
    return _columns_page(context, place, sources, typed(form), seen=seen, status=status)


def _proposed(context: RequestContext, place: Workplace, sources: Sequence[Source]) -> Response:
    values = {**values_of(TableMapping()), "name": _free_name(place)}
    # As if all of them lay in the folder: a proposal looks at names and rows, and opens no file.
    samples = [msgspec.structs.replace(one.sample, path=place.folder / one.name) for one in sources]
    try:
        proposal = propose(samples, place.folder)
    # Not found by their names: a person may know better, and chooses them in the empty form.
    except ConfigurationError as error:
        return _columns_page(context, place, sources, values, seen=Seen(problem=error.message))
    values |= values_of(proposal.mapping)
    errors = problems_of(Form(values), _headers(sources), taken=place.taken())
    mapping = with_addresses(proposal.mapping, sources)
    seen = Seen() if errors else asyncio.run(_look(place, mapping, sources))
    return _columns_page(context, place, sources, values, errors, seen=seen, notes=proposal.notes)


def _saved(context: RequestContext, place: Workplace, name: str, mapping: TableMapping) -> Response:
    try:
        # Of a tenant whose table is addresses alone, the operator had nothing to put there.
        place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(place.folder / name, mapping_text(mapping).encode())
    except OSError as error:
        raise PermanentError(f"{name} cannot be written into your folder: {error.strerror}") from None
    settings = {SETTING: name}
    if place.view is None:
        new = NewThirdParty(provider=Provider(PROVIDER), environment=Scope.ANY, settings=settings)
        view = integration_changes.add_third_party(context, new)
    else:
        changes = ThirdPartyChanges(settings=settings)
        view = integration_changes.change_third_party(context, place.view.id, changes)
    note(context, "table_mapping.write", [SETTING], view.id)
    return redirect(f"{THIRD_PARTY}/{view.id}?done=columns")


# -- the folder and its files


def _workplace(context: RequestContext, record: str) -> Workplace:
    folder = folder_of_tenant(context.settings, context.own.slug)
    view = integration_changes.third_party(context, record) if record else _usual_integration(context)
    if view is not None and view.provider.value != PROVIDER:
        raise Problem(HTTPStatus.NOT_FOUND, "This integration has no columns.")
    files = tuple(_tables(folder))
    current = str(view.settings.get(SETTING, "")) if view is not None else ""
    # One of a folder below: what it names lies there, and not where files are picked from.
    if not current or current not in _names(folder):
        return Workplace(folder, files, view, "", TableMapping())
    try:
        mapping = read_mapping(folder / current)
    except IntegrationError as error:
        return Workplace(folder, files, view, "", TableMapping(), error.message.replace(str(folder / current), current))
    if why := why_not_shown(mapping, files):
        return Workplace(folder, files, view, "", TableMapping(), why)
    return Workplace(folder, files, view, current, mapping)


def _usual_integration(context: RequestContext) -> ThirdPartyView | None:
    found = integration_changes.integrations(context)[0]
    return next((one for one in found if one.provider.value == PROVIDER and one.environment is Scope.ANY), None)


def _names(folder: Path) -> list[str]:
    """Names of files that lie in the folder itself; a link that leads out of it leads to no file of the tenant's."""
    if not folder.is_dir():
        return []
    home = folder.resolve()
    return sorted(
        one.name
        for one in folder.iterdir()
        if not one.name.startswith(".") and one.is_file() and one.resolve().is_relative_to(home)
    )


def _tables(folder: Path) -> list[str]:
    return [one for one in _names(folder) if Path(one).suffix.lower() in TYPE_OF_SUFFIX][:MOST_FILES]


def _free_name(place: Workplace) -> str:
    if place.current:
        return place.current
    names = _names(place.folder)
    candidates = [USUAL_NAME, *(f"feedback-{number}.toml" for number in range(2, len(names) + 3))]
    return next(one for one in candidates if one not in names)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for what is fetched, gone once the page is made."""
    with tempfile.TemporaryDirectory(prefix="integration-assets-") as folder:
        yield Path(folder)


def _sources(
    context: RequestContext, place: Workplace, picked: Sequence[str], asked: Sequence[Asked], scratch: Path
) -> tuple[list[Source], dict[str, str]]:
    """First rows of files and of what addresses lead to, and messages by field for those that cannot be read.

    Raises:
        Problem: too many within a minute.
    """

    async def read() -> tuple[list[Source], dict[str, str]]:
        found, errors = _files(place, picked)
        fetched, wrong = await fetched_sources(
            asked, scratch, place.files, place.declared, context.settings, context.own.slug
        )
        return [*found, *fetched], {**errors, ADDRESSES: wrong} if wrong else errors

    # A look at the mapping in use costs no more than its page, unless somebody else is asked for it.
    return run_counted(context, read()) if asked or context.form.values else asyncio.run(read())


def _files(place: Workplace, picked: Sequence[str]) -> tuple[list[Source], dict[str, str]]:
    found, errors = [], {}
    for name in picked:
        try:
            found.append(Source(name, place.folder / name, sample(place.folder / name)))
        except IntegrationError as error:
            errors[f"pick.{place.files.index(name)}"] = place.without_folder(error.message)
    return found, errors


def _headers(sources: Sequence[Source]) -> Headers:
    return {one.name: one.sample.header for one in sources}


async def _look(place: Workplace, mapping: TableMapping, sources: Sequence[Source]) -> Seen:
    """The first rows by a mapping that is not saved yet, or why there are none."""
    fetched = {one.asked.url: one.path for one in sources if one.asked}
    used = {one.file for one in mapping.relations().values() if one.file}
    paths = {fetched.get(one, place.folder / one) for one in used}
    if sum(path.stat().st_size for path in paths) > LARGEST_SHOWN:
        size = LARGEST_SHOWN // 1024**2
        return Seen(remark=f"the files have more than {size} MiB together: a run reads them, this page does not")
    try:
        look = await first_rows(place.folder / USUAL_NAME, described=mapping, confined=True, already_fetched=fetched)
        return Seen(look)
    except IntegrationError as error:
        return Seen(problem=place.without_folder(error.message))


# -- pages


def _files_page(
    context: RequestContext, place: Workplace, errors: Mapping[str, str] | None = None, status: int = HTTPStatus.OK
) -> Response:
    picked = below(context.form, "pick").values()
    return render(
        context,
        "table_files.html",
        status,
        view=place.view,
        files=place.files,
        # One proposal is made of all of them most of the time.
        picked=set(picked) or (set(place.files) if len(place.files) <= MOST_PICKED else set()),
        saved=[(token_of(url), urlsplit(url).hostname) for url in place.addresses],
        typed_addresses=context.form.raw(ADDRESSES),
        folder=f"{TENANTS_FILES}/{context.own.slug}",
        remark=place.remark,
        errors=errors or {},
        labels={f"pick.{number}": name for number, name in enumerate(place.files)}
        | {"pick": "Files", ADDRESSES: "Addresses"},
    )


def _columns_page(
    context: RequestContext,
    place: Workplace,
    sources: Sequence[Source],
    values: Mapping[str, str],
    errors: Mapping[str, str] | None = None,
    *,
    seen: Seen | None = None,
    notes: Sequence[str] = (),
    status: int = HTTPStatus.OK,
) -> Response:
    headers = _headers(sources)
    return render(
        context,
        "table_columns.html",
        status,
        view=place.view,
        sources=sources,
        relations=relation_fields(values, errors or {}, headers),
        values=Form(dict(values)),
        version=form_versions.shown_version(context.form, place.shown, None, errors or {}),
        errors=errors or {},
        labels=labels() | form_versions.LABEL,
        seen=seen or Seen(),
        notes=notes,
        masked=mask_addresses,
    )
