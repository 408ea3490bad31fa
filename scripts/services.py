#!/usr/bin/env python3
"""Private servers for tests, on free loopback ports, in temporary folders (Linux).

  services.py run [--only redis,postgres] [--durable] -- CMD…   for as long as CMD runs
  services.py run                                               until Ctrl-C
  services.py start redis|postgres|… [--port P] [--dir D]       one that stays, as JSON
  services.py stop --pid P [--dir D]                            ends it, removes D

CMD finds each server's URL in ONCECODE_TEST_<NAME> and this program's path in
ONCECODE_TEST_SERVICES. What it starts without --dir and leaves running ends with it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from servers import SERVERS, Group
from servers.group import start, stop
from servers.instance import Failure, kind_in
from servers.processes import send, with_descendants

PROGRAM = "ONCECODE_TEST_SERVICES"
ROOT = "ONCECODE_TEST_SERVICES_DIR"
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 5


def main() -> int:
    arguments = _parser().parse_args()
    for number in ENDING_SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _raise_ended)
    try:
        return int(arguments.action(arguments))
    except Ended as ended:
        return 128 + ended.number
    except Failure as failure:
        print(f"services: {failure}", file=sys.stderr)
        return 1


def run(arguments: argparse.Namespace) -> int:
    # A server that is tied to this process ends with the thread that started it.
    at_once = ThreadPoolExecutor(len(arguments.only))
    with _temporary_root() as root, at_once as threads:

        def started(name: str) -> str:
            folder = root / name
            return start(SERVERS[name], folder, durable=arguments.durable, tied=True)[0]

        found = {PROGRAM: str(Path(__file__).resolve()), ROOT: str(root)}
        for names in _in_turn(arguments.only):
            for name, url in zip(names, threads.map(started, names)):
                found[f"ONCECODE_TEST_{name.upper()}"] = url
            os.environ.update(found)
        if arguments.command:
            return _run_command(arguments.command, {**os.environ, **found})
        for name, value in found.items():
            print(f"export {name}={value}", flush=True)
        while True:
            signal.pause()


def _in_turn(names: list[str]) -> tuple[list[str], list[str]]:
    """Those that need no other server, and then the rest."""
    needed = {need for name in names if (need := SERVERS[name].needs)}
    wanted = [*names, *(needed - set(names))]
    first = [name for name in wanted if not SERVERS[name].needs]
    return first, [name for name in wanted if SERVERS[name].needs]


def start_one(arguments: argparse.Namespace) -> int:
    server = SERVERS[arguments.server]
    if isinstance(server, Group) and arguments.port:
        raise Failure(f"{server.name} chooses its ports itself")
    folder = arguments.dir or _new_folder(f"{server.name}-", os.environ.get(ROOT))
    url, instances = start(server, folder, arguments.port, arguments.durable)
    facts: dict[str, object]
    facts = {"pid": instances[0].pid, "url": url, "port": instances[0].port}
    if isinstance(server, Group):
        facts["pids"] = [instance.pid for instance in instances]
        facts["ports"] = [instance.port for instance in instances]
    print(json.dumps({**facts, "dir": str(folder.resolve())}))
    return 0


def stop_one(arguments: argparse.Namespace) -> int:
    folder = arguments.dir or _folder_of(arguments.pid)
    kind = kind_in(folder)
    if kind not in SERVERS:
        raise Failure(f"{folder} is not a server's folder")
    stop(SERVERS[kind], folder)
    return 0


class Ended(BaseException):
    def __init__(self, number: int) -> None:
        self.number = number


def _raise_ended(number: int, _frame: FrameType | None) -> None:
    raise Ended(number)


@contextmanager
def _temporary_root() -> Iterator[Path]:
    """A folder that ends its servers with it, those too that CMD started in it."""
    root = _new_folder("oncecode-", None)
    try:
        yield root
    finally:
        for number in ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for folder in root.iterdir():
            if kind := kind_in(folder):
                stop(SERVERS[kind], folder)
        shutil.rmtree(root)


def _run_command(command: list[str], environment: dict[str, str]) -> int:
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        raise Failure(f"{command[0]}: {error.strerror}") from None
    try:
        code = process.wait()
    except Ended as ended:
        _end_command(process, ended.number)
        raise
    return code if code >= 0 else 128 - code


def _end_command(process: subprocess.Popen[bytes], number: int) -> None:
    """Ends the whole tree: a shell or make that is ended alone leaves its children."""
    family = with_descendants(process.pid)
    if number == signal.SIGINT:
        # Ctrl-C reached everybody in the terminal: let them say their last words.
        _wait(process)
    send(family, signal.SIGTERM)
    _wait(process)
    send(family, signal.SIGKILL)
    _wait(process)


def _wait(process: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)


def _new_folder(prefix: str, parent: str | None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    folder.chmod(0o711)  # PostgreSQL's own user must get to its folder inside.
    return folder


def _folder_of(pid: int) -> Path:
    try:
        folder = Path(os.readlink(f"/proc/{pid}/cwd")).parent
    except OSError:
        raise Failure(f"process {pid} is gone: give its folder with --dir") from None
    return folder if kind_in(folder) in SERVERS else folder.parent


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    commands = parser.add_subparsers(required=True)

    durable = argparse.ArgumentParser(add_help=False)
    durable.add_argument(
        "--durable", action="store_true", help="as safe as in production, and as slow"
    )

    runs = commands.add_parser("run", parents=[durable])
    runs.add_argument("--only", type=_names, default=list(SERVERS))
    runs.add_argument("command", nargs="*", metavar="-- CMD")
    runs.set_defaults(action=run)

    starts = commands.add_parser("start", parents=[durable])
    starts.add_argument("server", choices=SERVERS)
    starts.add_argument("--port", type=int)
    starts.add_argument("--dir", type=Path)
    starts.set_defaults(action=start_one)

    stops = commands.add_parser("stop")
    stops.add_argument("--pid", type=int, required=True)
    stops.add_argument("--dir", type=Path)
    stops.set_defaults(action=stop_one)
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(SERVERS):
        raise argparse.ArgumentTypeError(f"no such server: {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
