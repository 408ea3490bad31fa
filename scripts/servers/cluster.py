from __future__ import annotations

import subprocess

from .group import Group, Launch
from .instance import START_SECONDS, Failure, Instance, binary
from .processes import wait_until
from .redis import Redis


class Node(Redis):
    name = "cluster-node"
    port_offsets = (0, 10000)  # The nodes talk to each other there.

    def command(self, instance: Instance) -> list[str]:
        clustered = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]
        return [*super().command(instance), *clustered]


class Cluster(Group):
    """Three masters without replicas."""

    name = "cluster"

    def assemble(self, launch: Launch) -> str:
        node = Node()
        nodes = [launch(f"node{number}", node) for number in (1, 2, 3)]
        addresses = [f"127.0.0.1:{member.port}" for member in nodes]
        create = ["--cluster", "create", *addresses, "--cluster-yes"]
        made = subprocess.run(
            [binary("redis-cli"), *create], capture_output=True, text=True, check=False
        )

        def agreed() -> bool:
            replies = [node.ask(member, "CLUSTER INFO") for member in nodes]
            return all("cluster_state:ok" in "".join(reply) for reply in replies)

        if made.returncode != 0 or not wait_until(agreed, START_SECONDS):
            raise Failure(f"the nodes did not join:\n{made.stdout}{made.stderr}")
        return f"redis+cluster://{','.join(addresses)}"
