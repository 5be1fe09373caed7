"""A company's network for tests: an authority of its own, and a proxy that alone knows the way to the systems."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK = "127.0.0.1"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Authority:
    """A certificate authority of the test's own, with the file of its certificate."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of our own")])
        made = self._builder(self.name, self.key, 400)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        self.file = folder / "authority.pem"
        self.file.write_bytes(made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        until = datetime.now(UTC) + timedelta(days=days)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(until - timedelta(days=800))
            .not_valid_after(until)
        )

    def server(self, host: str, days: int = 90) -> ssl.SSLContext:
        """What a server of that host needs: a certificate that ends in so many days."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), key, days)
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        made = made.add_extension(authority, critical=False)
        file = self.folder / f"{host}-{days}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        file.write_bytes(private + public)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context


class CompanyProxy:
    """A proxy that asks for a user and a password, and the systems behind it: plain servers, each with TLS before it.

    `tunnels` are the hosts it was made to connect to and `refusals` status and target of all it refused; `reached` are
    the hosts with a whole TLS connection from it, and `reached_directly` those with one from anybody else.
    """

    def __init__(self, authority: Authority, ports: Mapping[str, int], *, user: str, password: str) -> None:
        self._authority, self._ports = authority, ports
        self._login = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
        self.tunnels: list[str] = []
        self.refusals: list[tuple[int, str]] = []
        self.reached: set[str] = set()
        self.reached_directly: set[str] = set()
        self.fronts: dict[str, int] = {}
        self._ports_of_tunnels: set[int] = set()
        self.port = 0

    def forget(self) -> None:
        """Empty the records of what was asked."""
        for record in (self.tunnels, self.refusals, self.reached, self.reached_directly):
            record.clear()

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[CompanyProxy]:
        """Serve the proxy and the systems' TLS on free ports of loopback until the block ends."""
        async with contextlib.AsyncExitStack() as stack:
            for host, port in self._ports.items():
                front = listening(self._front(host, port), self._authority.server(host))
                self.fronts[host] = await stack.enter_async_context(front)
            self.port = await stack.enter_async_context(listening(self._connect))
            yield self

    def _front(self, host: str, port: int) -> Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            mine = writer.get_extra_info("peername")[1] in self._ports_of_tunnels
            (self.reached if mine else self.reached_directly).add(host)
            await join((reader, writer), await asyncio.open_connection(LOOPBACK, port))

        return serve

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target, headers = await asked_to_connect(reader)
        host, _, port = target.rpartition(":")
        status = 403 if host not in self.fronts or int(port) not in (443, self.fronts[host]) else 200
        if headers.get("proxy-authorization") != self._login:
            status = 407
        if status != 200:
            self.refusals.append((status, target))
            writer.write(b"HTTP/1.1 %d Refused\r\ncontent-length: 0\r\n\r\n" % status)
            await writer.drain()
            return
        self.tunnels.append(host)
        onwards = await asyncio.open_connection(LOOPBACK, self.fronts[host])
        own_port = onwards[1].get_extra_info("sockname")[1]
        self._ports_of_tunnels.add(own_port)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await join((reader, writer), onwards)
        finally:
            self._ports_of_tunnels.discard(own_port)


@contextlib.asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None, host: str = LOOPBACK) -> AsyncIterator[int]:
    """A server on loopback until the block ends, and its port."""
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(_served(serve, reader, writer)))

    server = await asyncio.start_server(connected, host, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)  # transports close their sockets a turn of the loop later


async def _served(serve: Serve, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):  # the peer is gone, or refused our certificate
            await serve(reader, writer)
    finally:
        writer.close()


async def asked_to_connect(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """The target of a request to a proxy, and its headers by their names in lower case."""
    line, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rest)}
    return line.split()[1], headers


async def join(one: Streams, other: Streams) -> None:
    """Pass on what comes between two connections, both ways, until both have ended; the second is closed then."""
    try:
        await asyncio.gather(_pass(one[0], other[1]), _pass(other[0], one[1]))
    finally:
        other[1].close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while block := await reader.read(65_536):
            writer.write(block)
            await writer.drain()
    finally:
        writer.close()
