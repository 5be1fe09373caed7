"""What the outgoing client does with hostile names, redirects and certificates, on real sockets of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from integration_assets.connectors.address_guard import AddressError, AddressGuard, AddressPolicy
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.http import Call, HttpClient
from integration_assets.connectors.limiter import Limiter
from integration_assets.connectors.proxies import public_authorities
from integration_assets.connectors.rules import Answer, StatusRules
from integration_assets.errors import ContractError, PermanentError
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

NAME = "billing.example.com"
LOOPBACK = "127.0.0.1"
PUBLIC = "93.184.216.34"


@dataclass
class Peer:
    """A server that keeps what it is sent. `answer` goes to whoever asks; `names` are those TLS was asked for."""

    port: int = 0
    answer: bytes = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    names: list[str] = field(default_factory=list)

    def redirect(self, location: str) -> None:
        """Answer everybody with a redirect."""
        self.answer = f"HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()


@contextlib.asynccontextmanager
async def listening(context: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """A peer on a free port of loopback."""
    peer = Peer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        serving.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                peer.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(peer.answer)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    serving: set[asyncio.Task[None] | None] = set()
    server = await asyncio.start_server(serve, LOOPBACK, 0, ssl=context)
    peer.port = server.sockets[0].getsockname()[1]
    if context is not None:
        context.sni_callback = lambda _, name, __: peer.names.append(str(name))
    try:
        yield peer
    finally:
        server.close()
        if tasks := [task for task in serving if task is not None]:
            await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)


@dataclass
class Names:
    """A resolver: each question takes the next of `turns`, the last one for ever."""

    turns: list[list[str]]
    asked: int = 0

    async def __call__(self, _host: str, _port: int) -> list[str]:
        answers = self.turns[min(self.asked, len(self.turns) - 1)]
        self.asked += 1
        return answers


async def ask(url: str, *turns: list[str], allowed: str = "", names: Names | None = None) -> Answer:
    """Ask a URL through the guard of an internal system; `turns` are what its name resolves to, time after time."""
    policy = AddressPolicy(allowed=frozenset({allowed} if allowed else ()))
    client = HttpClient(
        system="internal",
        base_url=url,
        limiter=Limiter({}),
        calls=CallCounter(),
        rules=StatusRules(),
        deadline=PATIENCE_SECONDS,
        repeats=0,
        guard=AddressGuard(policy, names or Names(list(turns))),
    )
    async with client:
        return await client.send(Call(method="GET", path="/", endpoint="GET /"))


async def _refused(awaited: Awaitable[Answer], *kinds: type[Exception]) -> Exception:
    try:
        await awaited
    except kinds as error:
        return error
    raise AssertionError("it was answered")


# -- behaviours: each raises AssertionError when the client does something else


async def plain_request() -> None:
    """An honest name is asked once, under its own name."""
    async with listening() as peer:
        pair = f"{NAME}:{peer.port}"
        assert (await ask(f"http://{pair}", [LOOPBACK], allowed=pair)).status == 200
        assert f"host: {pair}".encode() in peer.heads[0].lower()


async def rebinding() -> None:
    """A name that was public when it was saved, and is loopback when it is used, is not asked."""
    async with listening() as peer:
        names = Names([[PUBLIC], [LOOPBACK]])
        guard = AddressGuard(AddressPolicy(), names)
        assert await guard.addresses_of(NAME, 8443) == [PUBLIC]
        with mock.patch("integration_assets.connectors.address_guard.PORTS", frozenset({peer.port})):
            await _refused(ask(f"https://{NAME}:{peer.port}", names=names), AddressError)
        assert peer.connections == 0


async def rebinding_between_check_and_dial() -> None:
    """The name is resolved once: what a second question would say does not matter."""
    async with listening() as peer:
        pair, names = f"{NAME}:{peer.port}", Names([[LOOPBACK], ["192.0.2.1"]])
        await ask(f"http://{pair}", allowed=pair, names=names)
        assert names.asked == 1
        assert peer.connections == 1


async def mixed_answers() -> None:
    """One bad address among good ones is enough."""
    async with listening() as peer:
        with mock.patch("integration_assets.connectors.address_guard.PORTS", frozenset({peer.port})):
            for answers in ([PUBLIC, LOOPBACK], [LOOPBACK, PUBLIC]):
                await _refused(ask(f"https://{NAME}:{peer.port}", answers), AddressError)
        assert peer.connections == 0


def _redirected(form: str) -> Callable[[], Awaitable[None]]:
    async def behaviour() -> None:
        async with listening() as peer, listening() as victim:
            pair = f"{NAME}:{peer.port}"
            peer.redirect(form.format(port=victim.port))
            error = await _refused(ask(f"http://{pair}", [LOOPBACK], allowed=pair), ContractError)
            assert "not followed" in str(error)
            assert (len(peer.heads), victim.connections) == (1, 0)

    return behaviour


async def redirect_to_itself() -> None:
    """A redirect within one host is not followed either."""
    async with listening() as peer:
        pair = f"{NAME}:{peer.port}"
        peer.redirect("/elsewhere")
        await _refused(ask(f"http://{pair}", [LOOPBACK], allowed=pair), ContractError)
        assert len(peer.heads) == 1


async def proxies_of_the_environment() -> None:
    """A proxy the environment names sees nothing."""
    async with listening() as peer, listening() as proxy:
        pair, where = f"{NAME}:{peer.port}", f"http://{LOOPBACK}:{proxy.port}"
        variables = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"), where)
        with mock.patch.dict("os.environ", variables):
            await ask(f"http://{pair}", [LOOPBACK], allowed=pair)
        assert (peer.connections, proxy.connections) == (1, 0)


async def next_address() -> None:
    """A dead address does not cost the living one after it its chance."""
    async with listening() as peer:
        pair = f"{NAME}:{peer.port}"
        assert (await ask(f"http://{pair}", ["127.0.0.2", LOOPBACK], allowed=pair)).status == 200


async def right_certificate() -> None:
    """The certificate is checked against the name, and TLS asks for the name, although a literal is dialled."""
    with certificates(NAME) as (context, trusted):
        async with listening(context) as peer:
            pair = f"{NAME}:{peer.port}"
            with trusting(trusted):
                await ask(f"https://{pair}", [LOOPBACK], allowed=pair)
            assert peer.names == [NAME]


async def wrong_certificate() -> None:
    """A trusted certificate of another name is refused before anything is sent."""
    with certificates("another.example.com") as (context, trusted):
        async with listening(context) as peer:
            pair = f"{NAME}:{peer.port}"
            with trusting(trusted):
                error = await _refused(ask(f"https://{pair}", [LOOPBACK], allowed=pair), PermanentError)
            assert "its certificate is another host's" in str(error)
            assert peer.heads == []


async def unknown_authority() -> None:
    """A certificate of the right name that nobody trusts is refused as well."""
    with certificates(NAME) as (context, _):
        async with listening(context) as peer:
            pair = f"{NAME}:{peer.port}"
            error = await _refused(ask(f"https://{pair}", [LOOPBACK], allowed=pair), PermanentError)
            assert "it must be of a public authority" in str(error)
            assert peer.heads == []


BEHAVIOURS: dict[str, Callable[[], Awaitable[None]]] = {
    "plain request": plain_request,
    "rebinding after saving": rebinding,
    "rebinding between check and dial": rebinding_between_check_and_dial,
    "mixed answers": mixed_answers,
    "redirect to loopback": _redirected("http://127.0.0.1:{port}/"),
    "redirect to localhost": _redirected("http://localhost:{port}/"),
    "redirect to a mapped address": _redirected("http://[::ffff:127.0.0.1]:{port}/"),
    "redirect to 0.0.0.0": _redirected("http://0.0.0.0:{port}/"),
    "redirect to a decimal address": _redirected("http://2130706433:{port}/"),
    "redirect to a file": _redirected("file:///etc/passwd?{port}"),
    "redirect with a user": _redirected("http://billing.example.com@127.0.0.1:{port}/"),
    "redirect to itself": redirect_to_itself,
    "proxies of the environment": proxies_of_the_environment,
}
"""Thirteen ways to lead the client astray."""
TLS_AND_DIALLING: dict[str, Callable[[], Awaitable[None]]] = {
    "next address": next_address,
    "right certificate": right_certificate,
    "wrong certificate": wrong_certificate,
    "unknown authority": unknown_authority,
}


# -- certificates


@contextlib.contextmanager
def trusting(authority: str) -> Iterator[None]:
    """Have this file for the public authorities. They are read once per process: here before and after it anew."""
    public_authorities.cache_clear()
    try:
        with mock.patch("certifi.where", return_value=authority):
            yield
    finally:
        public_authorities.cache_clear()


@contextlib.contextmanager
def certificates(name: str) -> Iterator[tuple[ssl.SSLContext, str]]:
    """A server's context with a certificate of this name, and the file of the authority that signed it."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    authority = _certificate(issuer, issuer, authority_key.public_key(), authority_key, ca=True)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    leaf = _certificate(subject, issuer, key.public_key(), authority_key, ca=False)
    with tempfile.TemporaryDirectory() as folder:
        chain, trusted = Path(folder) / "chain.pem", Path(folder) / "authority.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
        trusted.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain)
        yield context, str(trusted)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signing: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        name = str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(signing, hashes.SHA256())
