"""Private servers for tests: one file per kind of service, one row here."""

from __future__ import annotations

from .cluster import Cluster
from .group import Group
from .instance import Server
from .mariadb import MariaDb
from .memcached import Memcached
from .oldandnew import Redis6, Valkey
from .pgbouncer import PgBouncer
from .postgres import Postgres
from .redis import Redis
from .redistls import RedisTls
from .sentinel import Sentinel
from .upstash import Upstash, UpstashTls

__all__ = ["SERVERS", "Group"]

SERVERS: dict[str, Server | Group] = {
    "redis": Redis(),
    "redistls": RedisTls(),
    "upstash": Upstash(),
    "upstashtls": UpstashTls(),
    "cluster": Cluster(),
    "sentinel": Sentinel(),
    "postgres": Postgres(),
    "pgbouncer": PgBouncer(),
    "redis6": Redis6(),
    "valkey": Valkey(),
    "mysql": MariaDb(),
    "memcached": Memcached("memcached"),
    "memcached2": Memcached("memcached2"),
}
