from __future__ import annotations

from itertools import pairwise

from .group import Group, Launch
from .instance import START_SECONDS, Failure, Instance, binary
from .processes import wait_until
from .redis import Redis

MASTER = "mymaster"


class Replicated(Redis):
    name = "redis-replicated"

    def __init__(self, master: Instance | None = None) -> None:
        self.master = master

    def command(self, instance: Instance) -> list[str]:
        options = ["--repl-diskless-sync-delay", "0"]
        if self.master:
            options += ["--replicaof", f"127.0.0.1 {self.master.port}"]
        return [*super().command(instance), *options]


class Watcher(Redis):
    """One sentinel. It writes what it learns into its configuration file."""

    name = "redis-sentinel"

    def __init__(self, master: Instance) -> None:
        self.master = master

    def create(self, instance: Instance) -> None:
        lines = [
            "bind 127.0.0.1",
            f"port {instance.port}",
            f"sentinel monitor {MASTER} 127.0.0.1 {self.master.port} 2",
            f"sentinel down-after-milliseconds {MASTER} 500",
            f"sentinel failover-timeout {MASTER} 5000",
        ]
        (instance.data / "sentinel.conf").write_text("\n".join(lines) + "\n")

    def command(self, instance: Instance) -> list[str]:
        return [binary("redis-server"), "sentinel.conf", "--sentinel"]


class Sentinel(Group):
    """A master with one replica, and three sentinels."""

    name = "sentinel"

    def assemble(self, launch: Launch) -> str:
        master = launch("master", Replicated())
        copying = Replicated(master)
        replica = launch("replica", copying)

        def copied() -> bool:
            reply = copying.ask(replica, "INFO replication")
            return "master_link_status:up" in "".join(reply)

        # Sentinels that start before would not see it for ten seconds.
        if not wait_until(copied, START_SECONDS):
            raise Failure("the replica did not reach its master")
        watcher = Watcher(master)
        sentinels = [launch(f"sentinel{number}", watcher) for number in (1, 2, 3)]

        def met() -> bool:
            known = [watcher.ask(one, f"SENTINEL MASTER {MASTER}") for one in sentinels]
            return all(
                _follows("num-slaves", "1", facts)
                and _follows("num-other-sentinels", "2", facts)
                for facts in known
            )

        if not wait_until(met, START_SECONDS):
            raise Failure("the sentinels did not find each other")
        addresses = ",".join(f"127.0.0.1:{one.port}" for one in sentinels)
        return f"redis+sentinel://{addresses}/{MASTER}/0"


def _follows(name: str, value: str, facts: list[str]) -> bool:
    return (name, value) in pairwise(facts)
