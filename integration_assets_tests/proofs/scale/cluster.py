"""What `deploy/celery` deploys, on loopback: Redis, PostgreSQL, Celery workers with homes of their own, and Dagster.

The instance is the file of `deploy/celery`, with addresses and folders of this machine, a slot for each worker, and
run monitoring that looks every few seconds instead of every thirty. Processes that end by themselves are started again,
as Compose does; the one that is killed is not.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import yaml

from integration_assets_tests.proofs.registry import root
from integration_assets_tests.proofs.running import BrokenError
from integration_assets_tests.support.dagster_on_postgres import sqlalchemy_url
from integration_assets_tests.support.postgresql import Postgresql

REDIS = "redis-server"
MONITORED_SECONDS = 5
"""How often Dagster asks whether runs live. The file of `deploy/celery` says 30, which would only be waited for."""
START_SECONDS = 60.0
DATABASE = "dagster"


def missing() -> str | None:
    """What is not installed here, and how to get it; None: nothing."""
    if shutil.which(REDIS) is None:
        return f"left out: runs on Celery workers, {REDIS} is not installed (Debian: apt-get install redis-server)"
    return None


@dataclass
class Cluster:
    """The processes, and what they are started with. `restarts` counts those that ended by themselves."""

    place: Path
    variables: Mapping[str, str]
    home: Path
    workers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    daemon: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    lost: set[int] = field(default_factory=set)

    def start_worker(self, number: int) -> None:
        """A worker as the page on deployment has it, with one slot and a home of its own."""
        command = [sys.executable, "-m", "celery", "--app", "dagster_celery.app", "worker", "--queues", "dagster"]
        command += ["--concurrency", "1", "--max-tasks-per-child", "20", "--hostname", f"worker{number}@%h"]
        home = {"INTEGRATION_ASSETS_HOME": str(self.place / f"machine-{number}")}
        self.workers[number] = self._start(f"worker-{number}", command, home)

    def start_daemon(self) -> None:
        """Dagster's daemon, and the code location that it starts."""
        workspace = self.place / "workspace.yaml"
        module = {"module_name": "integration_assets.definitions", "location_name": "integration_assets"}
        workspace.write_text(yaml.safe_dump({"load_from": [{"python_module": module}]}), encoding="utf-8")
        command = [sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(workspace)]
        self.daemon = self._start("daemon", command, {"INTEGRATION_ASSETS_HOME": str(self.home)})

    def keep_up(self) -> None:
        """Start again what has ended by itself."""
        for number, process in list(self.workers.items()):
            if process.poll() is not None and number not in self.lost:
                self.restarts += 1
                self.start_worker(number)
        if self.daemon is not None and self.daemon.poll() is not None:
            self.restarts += 1
            self.start_daemon()

    def kill(self, run: int) -> int:
        """Kill the worker in which a process runs, with all that belongs to it; its number."""
        group = os.getsid(run)
        number = next((number for number, process in self.workers.items() if process.pid == group), None)
        if number is None:
            raise BrokenError(f"process {run} is of none of the workers")
        self.lost.add(number)
        _kill_session(group)
        self.workers[number].wait()
        return number

    def memory(self) -> int:
        """Bytes that the largest process of the workers held at most."""
        sessions = {process.pid for process in self.workers.values()}
        return max((_peak(pid) for pid in _pids() if _session(pid) in sessions), default=0)

    def stop(self) -> None:
        """End all of it."""
        running = [*self.workers.values(), *([self.daemon] if self.daemon else [])]
        for process in running:
            _kill_session(process.pid)
        for process in running:
            process.wait()

    def _start(self, name: str, command: list[str], own: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.place / f"{name}.log").open("ab") as output:
            return subprocess.Popen(
                command,
                env={**self.variables, **own},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


@contextmanager
def cluster(
    place: Path, server: Postgresql, variables: Mapping[str, str], home: Path, workers: int
) -> Iterator[Cluster]:
    """Redis, and a cluster whose processes see `variables`; its workers are started, its daemon is not yet."""
    with _redis(place) as address:
        instance = place / "instance"
        instance.mkdir()
        _write_instance(instance, server, workers)
        made = Cluster(
            place,
            {
                **variables,
                "DAGSTER_HOME": str(instance),
                "CELERY_BROKER_URL": f"{address}/0",
                "CELERY_RESULT_BACKEND": f"{address}/1",
                "PYTHONPATH": os.pathsep.join((str(root() / "deploy" / "celery"), str(root()))),
            },
            home,
        )
        for number in range(1, workers + 1):
            made.start_worker(number)
        try:
            yield made
        finally:
            made.stop()


def database_of(server: Postgresql) -> str:
    """URL of Dagster's database on the server, which the registry has another one on."""
    return server.url.replace("/postgres?", f"/{DATABASE}?")


def _write_instance(folder: Path, server: Postgresql, workers: int) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
    config: dict[str, Any] = yaml.safe_load((root() / "deploy/celery/dagster.yaml").read_text(encoding="utf-8"))
    config["storage"] = {"postgres": {"postgres_url": sqlalchemy_url(database_of(server))}}
    config["local_artifact_storage"]["config"]["base_dir"] = str(folder / "artifacts")
    config["compute_logs"]["config"]["base_dir"] = str(folder / "logs")
    config["concurrency"]["runs"]["max_concurrent_runs"] = workers
    config["run_monitoring"]["poll_interval_seconds"] = MONITORED_SECONDS
    (folder / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


@contextmanager
def _redis(place: Path) -> Iterator[str]:
    """Its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        REDIS,
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(place),
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BrokenError(f"{REDIS} has not come up")
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except ConnectionRefusedError:
        return False


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def _kill_session(session: int) -> None:
    """Everything in it: children of a worker have process groups of their own."""
    for pid in _pids():
        if _session(pid) == session:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it has just ended


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
