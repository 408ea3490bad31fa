"""Private servers for tests: one file per kind of server, one row here."""

from __future__ import annotations

from .instance import Server
from .memcached import Memcached
from .postgres import Postgres
from .redis import Redis

SERVERS: dict[str, Server] = {
    "redis": Redis(),
    "postgres": Postgres(),
    "memcached": Memcached("memcached"),
    "memcached2": Memcached("memcached2"),
}
