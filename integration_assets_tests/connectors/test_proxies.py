"""A company's network: a proxy that must be used, and an authority of its own that must be trusted."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pydantic import SecretStr

from integration_assets.connectors.address_guard import AddressGuard, AddressPolicy
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.download import download
from integration_assets.connectors.http import Call, HttpClient
from integration_assets.connectors.limiter import Limiter
from integration_assets.connectors.proxies import check_outgoing, proxy_for, trusted_authorities
from integration_assets.connectors.reaching import Reached, reach
from integration_assets.connectors.redaction import redact
from integration_assets.connectors.rules import StatusRules
from integration_assets.connectors.slack import slack_client
from integration_assets.errors import ConfigurationError, IntegrationError, PermanentError, TransientError
from integration_assets.reporting.slack_posting import DeliveryStatus, post_message
from integration_assets_tests.support.company_network import Authority, asked_to_connect, join, listening
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("no_backoff")

HOST = "canny.example"
PASSWORD = "pä55-w0rd/of@proxy"
USER = "us%C3%A9r:p%C3%A455-w0rd%2Fof%40proxy"
READ = Call(method="POST", path="/v1/things", endpoint="POST /v1/things", json={})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


class Network:
    """A system behind TLS that no name leads to, and a proxy that does: what each of them was asked."""

    def __init__(self, tls: ssl.SSLContext, *, refuses: bytes | None = None, login: str | None = None) -> None:
        self.tls, self.refuses, self.login = tls, refuses, login
        self.tunnels: list[str] = []
        self.requests: list[str] = []
        self.proxy, self.system = "", 0

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[Network]:
        async with listening(self._answer, self.tls) as system, listening(self._connect) as proxy:
            self.system, self.proxy = system, f"127.0.0.1:{proxy}"
            yield self

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.requests.append(head.splitlines()[0])
        body = json.dumps({"ok": True}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n")
        writer.write(f"content-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target, headers = await asked_to_connect(reader)
        self.tunnels.append(target)
        if self.login is not None and headers.get("proxy-authorization") != self.login:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        elif self.refuses is not None:
            writer.write(b"HTTP/1.1 %b\r\ncontent-length: 0\r\n\r\n" % self.refuses)
        else:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await join((reader, writer), await asyncio.open_connection("127.0.0.1", self.system))


async def asked(base_url: str = f"https://{HOST}/api", *, guard: AddressGuard | None = None) -> Any:
    """One call of the outgoing client."""
    client = HttpClient(
        system="canny",
        base_url=base_url,
        limiter=Limiter({}),
        calls=CallCounter(),
        rules=StatusRules(),
        headers={"authorization": SecretStr("Bearer a-token-of-canny")},
        deadline=20,
        repeats=1,
        guard=guard,
    )
    async with client:
        return (await client.send(READ)).body


def through(network: Network, environment: Callable[[Network], dict[str, str]], work: Callable[[], Any]) -> Any:
    """The result of some work, or the error it ended with, in the environment that a network asks for."""

    async def run() -> Any:
        async with network.served():
            with pytest.MonkeyPatch.context() as patch:
                for name, value in environment(network).items():
                    patch.setenv(name, value)
                try:
                    return await work()
                except IntegrationError as error:
                    return error

    return asyncio.run(run())


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_the_proxy_is_asked_and_the_own_authority_trusted(authority: Authority, name: str) -> None:
    """With user and password of any letters; the system sees our request, the proxy none of our secrets."""
    login = base64.b64encode(f"usér:{PASSWORD}".encode()).decode()
    network = Network(authority.server(HOST), login=f"Basic {login}")
    answer = through(
        network, lambda net: {name: f"http://{USER}@{net.proxy}", "SSL_CERT_FILE": str(authority.file)}, asked
    )
    assert answer == {"ok": True}
    assert (network.tunnels, network.requests) == ([f"{HOST}:443"], ["POST /api/v1/things HTTP/1.1"])
    assert redact(f"with {PASSWORD} and {login}") == "with *** and ***"


def test_a_folder_of_authorities_is_trusted(authority: Authority, tmp_path: Path) -> None:
    """`SSL_CERT_DIR` as OpenSSL reads it: files named by the hash of the subject."""
    content = authority.file.read_bytes()
    for number in range(2):
        hashed = x509.load_pem_x509_certificate(content).subject
        (tmp_path / f"{_subject_hash(hashed)}.{number}").write_bytes(content)
    network = Network(authority.server(HOST))
    environment = lambda net: {"HTTPS_PROXY": net.proxy, "SSL_CERT_DIR": str(tmp_path)}  # noqa: E731
    assert through(network, environment, asked) == {"ok": True}


def _subject_hash(name: x509.Name) -> str:
    """OpenSSL's name of a certificate's file: SHA-1 of the canonical subject (lower case, UTF-8, without its head)."""
    parts = b""
    for one in name.rdns:
        for attribute in one:
            value = str(attribute.value).lower().encode()
            oid = bytes.fromhex("0603550403")
            pair = oid + b"\x0c" + bytes([len(value)]) + value
            sequence = b"\x30" + bytes([len(pair)]) + pair
            parts += b"\x31" + bytes([len(sequence)]) + sequence
    digest = hashes.Hash(hashes.SHA1())
    digest.update(parts)
    return f"{int.from_bytes(digest.finalize()[:4], 'little'):08x}"


@pytest.mark.parametrize(
    ("host", "days", "trusted", "said"),
    [
        (HOST, 90, False, "certificate is not trusted .*SSL_CERT_FILE"),
        (HOST, -3, True, "certificate is out of date .*renewed"),
        ("other.example", 90, True, "certificate is another host's .*check the base URL"),
    ],
)
def test_a_certificate_that_is_refused_is_permanent(
    authority: Authority, host: str, days: int, trusted: bool, said: str
) -> None:
    """It does not become good by waiting: one attempt, FAILED, and what to do."""
    network = Network(authority.server(host, days))
    extra = {"SSL_CERT_FILE": str(authority.file)} if trusted else {}
    error = through(network, lambda net: {"HTTPS_PROXY": f"http://{net.proxy}", **extra}, asked)
    assert isinstance(error, PermanentError)
    assert re.search(said, error.message), error.message
    assert (len(network.tunnels), network.requests) == (1, [])


@pytest.mark.parametrize(
    ("refuses", "login", "kind", "said"),
    [
        (None, "Basic none", PermanentError, r"the proxy 127.0.0.1:\d+ \(HTTPS_PROXY\) asks for a user and a password"),
        (b"403 Forbidden", None, PermanentError, r"does not connect to it \(403\): have it allowed .*NO_PROXY"),
        (b"502 Bad Gateway", None, TransientError, r"the proxy .* does not connect to it \(502\)"),
        (b"503 Busy", None, TransientError, r"\(503\)"),
    ],
)
def test_a_proxy_that_refuses_is_named_without_its_password(
    authority: Authority, refuses: bytes | None, login: str | None, kind: type[IntegrationError], said: str
) -> None:
    """What a person must change is FAILED; what may pass is tried again later."""
    network = Network(authority.server(HOST), refuses=refuses, login=login)
    error = through(network, lambda net: {"HTTPS_PROXY": f"http://ann:hush@{net.proxy}"}, asked)
    assert type(error) is kind
    assert re.search(said, error.message), error.message
    assert "hush" not in error.message


def test_a_proxy_that_is_not_there_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is named, not the system behind it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:hush@127.0.0.1:9")
    with pytest.raises(TransientError, match=r"the proxy 127\.0\.0\.1:9 \(HTTPS_PROXY\) cannot be reached") as lost:
        asyncio.run(asked())
    assert "hush" not in str(lost.value)


def test_slack_the_doctor_and_files_go_the_same_way(authority: Authority, tmp_path: Path) -> None:
    """Everything that an operator's run asks."""
    network = Network(authority.server(HOST))

    async def work() -> list[Any]:
        client = slack_client("xoxb-token", f"https://{HOST}/api/", guard=None, timeout=10)
        posted = await asyncio.to_thread(post_message, client, "C1", "text", [], run_id="run")
        reached = await reach(f"https://{HOST}/api", seconds=10)
        await download(f"https://{HOST}/file", tmp_path / "file", most_bytes=100, seconds=10)
        return [
            posted.delivery_status,
            reached.host,
            reached.certificate_until is not None,
            (tmp_path / "file").read_text(),
        ]

    environment = lambda net: {"HTTPS_PROXY": f"http://{net.proxy}", "SSL_CERT_FILE": str(authority.file)}  # noqa: E731
    assert through(network, environment, work) == [DeliveryStatus.POSTED, HOST, True, '{"ok": true}']
    assert network.tunnels == [f"{HOST}:443"] * 3
    assert [line.split()[:2] for line in network.requests] == [
        ["POST", "/api/chat.postMessage"],
        ["HEAD", "/"],
        ["GET", "/file"],
    ]


def test_behind_the_guard_the_doctor_trusts_whom_a_run_trusts(authority: Authority) -> None:
    """`SSL_CERT_FILE` is the operator's word for its own systems; a tenant's host needs a public certificate."""
    network = Network(authority.server(HOST))

    async def here(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async def work() -> list[str]:
        pair = f"{HOST}:{network.system}"
        guard = AddressGuard(AddressPolicy(allowed=frozenset({pair})), here)
        said = []
        for ask in (reach(f"https://{pair}/api", guard=guard, seconds=10), asked(f"https://{pair}/api", guard=guard)):
            with pytest.raises(IntegrationError) as caught:
                await ask
            said.append(caught.value.message)
        return said

    said = through(network, lambda _: {"SSL_CERT_FILE": str(authority.file)}, work)
    for message in said:
        assert re.search(r"its certificate is not trusted \(.*\): it must be of a public authority", message)
    assert network.requests == []


@pytest.mark.parametrize("first", ["refuses", "never answers"])
def test_the_doctor_tries_every_address_of_a_name(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a run does: one address that is not there does not make a host unreachable."""
    tried: list[str] = []
    connect = asyncio.open_connection

    async def open_connection(address: str, port: int, **options: Any) -> Any:
        tried.append(address)
        if address == "192.0.2.1":
            if first == "never answers":
                await asyncio.Event().wait()
            raise ConnectionRefusedError("nobody is there")
        return await connect(address, port, **options)

    async def two(_host: str, _port: int) -> list[str]:
        return ["192.0.2.1", "127.0.0.1"]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    monkeypatch.setattr(asyncio, "open_connection", open_connection)

    async def work() -> Reached:
        async with listening(answer) as port:
            guard = AddressGuard(AddressPolicy(allowed=frozenset({f"{HOST}:{port}"})), two)
            return await reach(f"http://{HOST}:{port}/", guard=guard, seconds=4)

    assert asyncio.run(work()).address == "127.0.0.1"
    assert tried == ["192.0.2.1", "127.0.0.1"]


def test_a_proxy_that_does_not_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is over while the tunnel is waited for: the connection to the proxy does not stay open."""

    async def work() -> None:
        left = asyncio.Event()

        async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await reader.read()
            left.set()

        async with listening(hang) as port:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
            # Kept, as a frame of the traceback would keep it: nothing but its end may close the connection.
            with pytest.raises(TransientError, match="no answer within") as caught:
                await reach(f"https://{HOST}/", seconds=0.3)
            await asyncio.wait_for(left.wait(), PATIENCE_SECONDS)
            assert caught.value.message.startswith(HOST)

    asyncio.run(work())


def test_slack_says_why_it_could_not_be_reached(authority: Authority) -> None:
    """A message that did not leave, with the remedy in its line."""
    network = Network(authority.server(HOST))

    async def work() -> Any:
        client = slack_client("xoxb-token", f"https://{HOST}/api/", guard=None, timeout=10)
        return await asyncio.to_thread(post_message, client, "C1", "text", [], run_id="run")

    posting = through(network, lambda net: {"HTTPS_PROXY": f"http://{net.proxy}"}, work)
    assert posting.delivery_status is DeliveryStatus.NOT_POSTED
    assert "SSL_CERT_FILE" in posting.line


def test_a_tenants_address_is_never_asked_through_the_proxy(authority: Authority) -> None:
    """The proxy would go round the guard: it would resolve the name itself."""
    network = Network(authority.server(HOST))
    guard = AddressGuard(AddressPolicy(hosts=frozenset({HOST}), allowed=frozenset()))
    error = through(network, lambda net: {"HTTPS_PROXY": f"http://{net.proxy}"}, lambda: asked(guard=guard))
    assert isinstance(error, IntegrationError)
    assert network.tunnels == []


@pytest.mark.parametrize(
    ("url", "no_proxy", "asked_through"),
    [
        ("https://api.canny.example", "", True),
        ("https://api.canny.example", "canny.example", False),
        ("https://api.canny.example", ".canny.example, other", False),
        ("https://api.canny.example", "*.canny.example", False),
        ("https://notcanny.example", "canny.example", True),
        ("https://api.canny.example", "*", False),
        ("https://api.canny.example:8443", "api.canny.example:443", True),
        ("https://API.canny.example.", "api.canny.example:443", False),
        ("https://10.1.2.3", "10.0.0.0/8", False),
        ("https://11.1.2.3", "10.0.0.0/8", True),
        ("https://[fd00::1]", "fd00::/8", False),
        ("http://api.canny.example", "", False),
    ],
)
def test_no_proxy_names_what_is_asked_directly(
    monkeypatch: pytest.MonkeyPatch, url: str, no_proxy: str, asked_through: bool
) -> None:
    """Names with what is below them, addresses, networks, ports; and each scheme has its own variable."""
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    proxy = proxy_for(url)
    assert (proxy is not None) is asked_through
    assert proxy is None or str(proxy) == "the proxy proxy.example:3128 (HTTPS_PROXY)"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HTTPS_PROXY", "http://ann:hush@[proxy", "HTTPS_PROXY: must look like http://proxy.example:3128"),
        ("https_proxy", "http://ann:hush@proxy:port", "https_proxy: must look like"),
        ("HTTP_PROXY", "http://", "HTTP_PROXY: must look like"),
        ("ALL_PROXY", "http://proxy example:3128", "ALL_PROXY: must look like"),
        ("ALL_PROXY", "ftp://ann:hush@proxy:21", "ALL_PROXY: ftp:// is no kind of proxy"),
        ("HTTPS_PROXY", "socks5://ann:hush@proxy:1080", "HTTPS_PROXY: socks5:// needs the package socksio"),
        ("SSL_CERT_FILE", "/nowhere/at/all.pem", "SSL_CERT_FILE: /nowhere/at/all.pem cannot be read: No such file"),
        ("SSL_CERT_FILE", __file__, "SSL_CERT_FILE: .* holds no certificate in PEM form"),
        ("SSL_CERT_DIR", "/nowhere/at/all", "SSL_CERT_DIR: there is no folder /nowhere/at/all"),
    ],
)
def test_what_cannot_be_used_is_wrong_configuration(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    """Exit 2, the variable named as it is spelled, and nothing of a password."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=said) as wrong:
        check_outgoing()
    assert "hush" not in str(wrong.value)


def test_authorities_are_read_once_until_their_file_is_replaced(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client for each of a thousand tenants must not read them a thousand times."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert trusted_authorities() is trusted_authorities()
    file = tmp_path / "authorities.pem"
    file.write_bytes(authority.file.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    first = trusted_authorities()
    assert trusted_authorities() is first
    os.utime(file, ns=(0, 1))
    assert trusted_authorities() is not first
