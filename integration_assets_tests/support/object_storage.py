"""A look-alike of S3 on loopback: one bucket, path-style addresses, signatures checked as Signature Version 4 has it.

Objects are written whole or in parts, read whole or by ranges, listed and deleted. A key opens the prefixes that it is
given, as a policy of a bucket would say.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

BUCKET = "bucket-of-ours"
KEY_ID, SECRET, REGION = "AKIDOFTHETESTS", "secret-of-the-object-storage", "eu-central-1"
CHANGING = frozenset({"PUT", "POST", "DELETE"})


class Key(NamedTuple):
    """What a key of an account is good for. `reads`: prefixes of the objects it opens."""

    secret: str
    reads: tuple[str, ...] = ("",)
    may_write: bool = True


class Upload(NamedTuple):
    """An upload in parts that is under way: of which object, and its parts by number."""

    name: str
    parts: dict[int, bytes]


class ObjectStorage(ThreadingHTTPServer):
    """The server. `objects` by name; `status` other than 200 is what every request gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, Upload] = {}
        self.keys = {KEY_ID: Key(SECRET)}
        self.status = 200
        self.requests: list[tuple[str, str, int]] = []
        """Method, path and status of each request."""

    @property
    def variables(self) -> dict[str, str]:
        """Variables of a process that may write there."""
        return {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server_port}",
        }


@contextmanager
def object_storage() -> Iterator[ObjectStorage]:
    """A server for the length of a block."""
    server = ObjectStorage()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def storage_in_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStorage]:
    """A server that the environment leads to, without a proxy or authorities of the machine's own."""
    with object_storage() as server:
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        yield server


class _RefusedError(Exception):
    """An answer that is an error of S3."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class _Handler(BaseHTTPRequestHandler):
    server: ObjectStorage
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle()

    def do_HEAD(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self._serve(content)
        except _RefusedError as error:
            # With the key's id, as S3 has it: what must not be told has to be there to be left out.
            self._answer(
                error.status, f"<Error><Code>{error.code}</Code><AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId></Error>"
            )

    def _serve(self, content: bytes) -> None:
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        if self.server.status != 200:
            raise _RefusedError(self.server.status, "Broken")
        bucket, _, name = unquote(address.path).removeprefix("/").partition("/")
        if bucket != BUCKET:
            raise _RefusedError(404, "NoSuchBucket")
        key = _owner(self, content, self.server.keys)
        _check_policy(key, self.command, name or query.get("prefix", ""))
        if name:
            self._object(name, query, content)
        else:
            self._bucket(query, content)

    def _object(self, name: str, query: dict[str, str], content: bytes) -> None:
        objects, uploads = self.server.objects, self.server.uploads
        if self.command == "PUT" and "partNumber" in query:
            uploads[query["uploadId"]].parts[int(query["partNumber"])] = content
            self._answer(200, "", ETag=_tag(content))
        elif self.command == "PUT":
            objects[name] = content
            self._answer(200, "", ETag=_tag(content))
        elif self.command == "POST" and "uploads" in query:
            upload = f"upload-{len(uploads)}"
            uploads[upload] = Upload(name, {})
            named = f"<Bucket>{BUCKET}</Bucket><Key>{escape(name)}</Key><UploadId>{upload}</UploadId>"
            self._answer(200, f"<InitiateMultipartUploadResult>{named}</InitiateMultipartUploadResult>")
        elif self.command == "POST":
            objects[name] = _joined(uploads.pop(query["uploadId"]), content.decode())
            tag = escape(_tag(objects[name]))
            self._answer(200, f"<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>")
        elif self.command == "DELETE":
            if "uploadId" in query:
                uploads.pop(query["uploadId"], None)
            else:
                objects.pop(name, None)
            self._answer(204, "")
        elif name not in objects:
            raise _RefusedError(404, "NoSuchKey")
        else:
            self._read(objects[name])

    def _read(self, content: bytes) -> None:
        tag = _tag(content)
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not found:
            self._answer(200, content, ETag=tag)
            return
        first, last = int(found[1]), min(int(found[2] or len(content)), len(content) - 1)
        if first > last:
            raise _RefusedError(416, "InvalidRange")
        place = f"bytes {first}-{last}/{len(content)}"
        self._answer(206, content[first : last + 1], ETag=tag, **{"Content-Range": place})

    def _bucket(self, query: dict[str, str], content: bytes) -> None:
        if self.command == "POST" and "delete" in query:
            names = re.findall(r"<Key>(.*?)</Key>", content.decode())
            for name in names:
                self.server.objects.pop(name, None)
            deleted = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
            self._answer(200, f"<DeleteResult>{deleted}</DeleteResult>")
            return
        found = sorted(name for name in self.server.objects if name.startswith(query.get("prefix", "")))
        entries = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{len(self.server.objects[name])}</Size>"
            f"<LastModified>2026-11-01T00:00:00.000Z</LastModified><ETag>{escape(_tag(self.server.objects[name]))}</ETag>"
            "</Contents>"
            for name in found
        )
        counted = f"<KeyCount>{len(found)}</KeyCount><IsTruncated>false</IsTruncated>"
        self._answer(200, f"<ListBucketResult><Name>{BUCKET}</Name>{counted}{entries}</ListBucketResult>")

    def _answer(self, status: int, body: str | bytes, **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.server.requests.append((self.command, urlsplit(self.path).path, status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Last-Modified", "Sun, 01 Nov 2026 00:00:00 GMT")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _joined(upload: Upload, listed: str) -> bytes:
    """The parts in the order of their list, which names the tag that each was answered with."""
    parts = re.findall(r"<PartNumber>(\d+)</PartNumber>", listed)
    tags = [tag.replace("&quot;", '"') for tag in re.findall(r"<ETag>(.*?)</ETag>", listed)]
    if [int(part) for part in parts] != sorted(upload.parts):
        raise _RefusedError(400, "InvalidPart")
    if tags != [_tag(upload.parts[int(part)]) for part in parts]:
        raise _RefusedError(400, "InvalidPart")
    return b"".join(upload.parts[int(part)] for part in parts)


def _check_policy(key: Key, method: str, name: str) -> None:
    if method in CHANGING and not key.may_write:
        raise _RefusedError(403, "AccessDenied")
    if not name.startswith(key.reads):
        raise _RefusedError(403, "AccessDenied")


def _owner(request: BaseHTTPRequestHandler, content: bytes, keys: dict[str, Key]) -> Key:
    """The key that signed the request ("Create a signed AWS API request")."""
    named = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?"
        r"SignedHeaders=([^,]+), ?Signature=(\w+)",
        request.headers.get("Authorization", ""),
    )
    if not named:
        raise _RefusedError(403, "AccessDenied")
    key_id, day, region, signed, signature = named.groups()
    moment, digest = request.headers.get("x-amz-date", ""), hashlib.sha256(content).hexdigest()
    key = keys.get(key_id)
    if key is None:
        raise _RefusedError(403, "InvalidAccessKeyId")
    if region != REGION or not moment.startswith(day):
        raise _RefusedError(400, "AuthorizationHeaderMalformed")
    # The address, the moment and the content are part of what is signed, or somebody could change them on the way.
    if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(signed.split(";")):
        raise _RefusedError(403, "AccessDenied")
    if request.headers["x-amz-content-sha256"] != digest:
        raise _RefusedError(400, "XAmzContentSHA256Mismatch")
    address = urlsplit(request.path)
    query = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}"
        for name, value in sorted(parse_qsl(address.query, keep_blank_values=True))
    )
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in signed.split(";"))
    canonical = "\n".join([request.command, address.path, query, headers, signed, digest])
    scope = f"{day}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signing = f"AWS4{key.secret}".encode()
    for part in scope.split("/"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(signing, text.encode(), "sha256").hex(), signature):
        raise _RefusedError(403, "SignatureDoesNotMatch")
    return key
