"""A hub on this machine that speaks as much of Hugging Face's protocol as a download takes.

The client's own code runs against it: listing, redirects to storage, ranges, refusals.
"""

import hashlib
import json
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants, file_download
from huggingface_hub.utils import close_session

REPOSITORY = "someone/tiny-kdvlp"
TOKEN = "hf_" + "a" * 34
NOT_FOUND = (404, "RepoNotFound")
GATED = (401, "GatedRepo")
BROKEN = (500, None)
PATIENCE = 30  # seconds: only a test that fails takes them


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a folder, by name."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@dataclass
class Hub:
    """What the hub holds, and what was asked of it.

    commits: files by repository and commit. refs: commits by repository and branch. gated: the
    repositories that want a token for files. converters: for a repository, who opened a pull
    request that adds safetensors, and its number. cuts: for a file, after how many bytes each of
    the next answers breaks off. resets: whether it breaks off for good, as when a cable is pulled.
    holds: for a file, what is waited for in its middle.
    """

    url: str = ""
    commits: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    refs: dict[str, dict[str, str]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    converters: dict[str, tuple[str, int]] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)
    resets: bool = False
    holds: dict[str, Event] = field(default_factory=dict)
    failure: tuple[int, str | None] | None = None
    asked: list[str] = field(default_factory=list)

    def publish(self, repository: str, files: dict[str, bytes], ref: str = "main") -> str:
        """Make these the files of the branch; gives the commit."""
        named = {name: hashlib.sha1(content).hexdigest() for name, content in files.items()}  # noqa: S324 git's
        commit = hashlib.sha1(json.dumps([ref, named]).encode()).hexdigest()  # noqa: S324
        self.commits.setdefault(repository, {})[commit] = files
        self.refs.setdefault(repository, {})[ref] = commit
        return commit

    def requested(self, file: str) -> list[str]:
        """What was asked with GET for the content of this file, each with its range."""
        return [line for line in self.asked if line.startswith("GET /cdn/") and file in line]


def is_large(name: str) -> bool:
    """Whether the file lies in large file storage, elsewhere than the repository itself."""
    return name.endswith((".safetensors", ".bin"))


def content_hash(name: str, content: bytes) -> str:
    """What the cache knows a file's content by."""
    header = b"" if is_large(name) else f"blob {len(content)}\0".encode()
    kind = hashlib.sha256 if is_large(name) else hashlib.sha1
    return kind(header + content).hexdigest()


@contextmanager
def running() -> Iterator[Hub]:
    """A hub that serves until the end of the block."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def use_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let fetched files go below this folder, nowhere near the cache of whoever runs the tests."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return folder / "hub"


@contextmanager
def in_place_of_hugging_face(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that the client takes for Hugging Face until the end of the block."""
    with running() as served:
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        # Between two tries the client waits a second.
        monkeypatch.setattr(file_download, "time", SimpleNamespace(sleep=lambda _: None))
        yield served
        close_session()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    _hold: Event | None = None
    protocol_version = "HTTP/1.1"
    routes = (
        (re.compile(r"/api/models/([^/]+/[^/]+)/discussions"), "_discussions"),
        (re.compile(r"/api/models/([^/]+/[^/]+)/tree/(.+)"), "_tree"),
        (re.compile(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?"), "_model"),
        (re.compile(r"/cdn/([^/]+/[^/]+)/([0-9a-f]+)/(.+)"), "_storage"),
        (re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)"), "_file"),
    )

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def _answer(self):
        raw = urlsplit(self.path).path
        asked = self.headers.get("Range")
        self.hub.asked.append(f"{self.command} {unquote(raw)}" + (f" {asked}" if asked else ""))
        if self.hub.failure:
            return self._refuse(*self.hub.failure)
        for pattern, method in self.routes:
            if found := pattern.fullmatch(raw):
                parts = [unquote(part or "") for part in found.groups()]
                if parts[0] not in self.hub.commits:
                    return self._refuse(*NOT_FOUND)
                return getattr(self, method)(*parts)
        return self._refuse(404, "EntryNotFound")

    def _refuse(self, status, code):
        self._send(status, b"", {"X-Error-Code": code} if code else {})

    def _send(self, status, body, headers, cut=None):
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self._write(body[:cut])
        if cut is not None:
            self._break_off()

    def _write(self, body):
        if self._hold is None:
            self.wfile.write(body)
            return
        middle = len(body) // 2
        self.wfile.write(body[:middle])
        self.wfile.flush()
        self._hold.wait(PATIENCE)
        with suppress(OSError):  # nobody may be there any more
            self.wfile.write(body[middle:])

    def _break_off(self):
        self.wfile.flush()
        self.close_connection = True
        if self.hub.resets:  # no farewell: the client sees a reset, not an end
            now = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
        self.connection.close()

    def _json(self, value):
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _commit(self, repository, revision):
        known = self.hub.refs[repository] | {key: key for key in self.hub.commits[repository]}
        return known.get(revision or "main")

    def _model(self, repository, revision):
        if (commit := self._commit(repository, revision)) is None:
            return self._refuse(404, "RevisionNotFound")
        files = self.hub.commits[repository][commit]
        siblings = [
            {"rfilename": name, "size": len(content), "blobId": content_hash("", content)}
            | ({"lfs": self._stored(name, content, "sha256")} if is_large(name) else {})
            for name, content in files.items()
        ]
        return self._json({"id": repository, "sha": commit, "siblings": siblings})

    def _tree(self, repository, revision):
        files = self.hub.commits[repository][self._commit(repository, revision.rstrip("/"))]
        return self._json(
            [
                {
                    "type": "file",
                    "path": name,
                    "size": len(content),
                    "oid": content_hash("", content),
                }
                | ({"lfs": self._stored(name, content, "oid")} if is_large(name) else {})
                for name, content in files.items()
            ]
        )

    @staticmethod
    def _stored(name, content, key):
        return {key: content_hash(name, content), "size": len(content), "pointerSize": 134}

    def _discussions(self, repository):
        author, number = self.hub.converters.get(repository, ("", 0))
        request = {
            "title": "Adding `safetensors` variant of this model",
            "num": number,
            "author": {"name": author},
            "isPullRequest": True,
            "status": "open",
            "createdAt": "2023-05-01T12:00:00.000Z",
            "repo": {"name": repository, "type": "model"},
        }
        found = [request] if number else []
        return self._json({"discussions": found, "count": len(found), "start": 0})

    def _file(self, repository, revision, name):
        if repository in self.hub.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._refuse(*GATED)
        commit = self._commit(repository, revision)
        content = self.hub.commits[repository].get(commit, {}).get(name)
        if content is None:
            return self._refuse(404, "EntryNotFound")
        headers = {"X-Repo-Commit": commit, "ETag": f'"{content_hash(name, content)}"'}
        if not is_large(name):
            return self._send(200, content, headers)
        # Another host, as the hub's storage is: the client sends no token there.
        storage = self.hub.url.replace("127.0.0.1", "localhost")
        return self._send(
            302,
            b"",
            headers
            | {
                "Location": f"{storage}/cdn/{repository}/{commit}/{name}",
                "X-Linked-ETag": headers["ETag"],
                "X-Linked-Size": str(len(content)),
            },
        )

    def _storage(self, repository, commit, name):
        whole = self.hub.commits[repository][commit][name]
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        ranged = {"Content-Range": f"bytes {start}-{len(whole) - 1}/{len(whole)}"}
        cuts = self.hub.cuts.get(name, [])
        cut = cuts.pop(0) if cuts and self.command == "GET" else None
        self._hold = self.hub.holds.get(name)
        self._send(206 if start else 200, whole[start:], ranged if start else {}, cut)
