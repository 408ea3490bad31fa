from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from .certificates import authority_and_server
from .instance import Failure, Instance, Server, as_account, binary, clean_environment

NAME = "oncecode"  # of the user and of the database

# Run at every start. The user may do anything: tests end connections and make users.
INIT = """CREATE DATABASE IF NOT EXISTS {name};
CREATE USER IF NOT EXISTS {name}@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL ON *.* TO {name}@'127.0.0.1' WITH GRANT OPTION;
"""


class MariaDb(Server):
    """With TLS for who asks for it, and a binary log: both limit what a client may do."""

    name = "mysql"
    process = "mariadbd"
    stop_signal = signal.SIGKILL  # The folder is removed: nothing is worth saving.

    def account(self) -> str | None:
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam("mysql").pw_name  # MariaDB refuses root.
        except KeyError:
            raise Failure("there is no user mysql: run scripts/setup") from None

    def create(self, instance: Instance) -> None:
        instance.password = secrets.token_hex(12)
        account = self.account()
        authority_and_server(instance.data)
        init = instance.data / "init.sql"
        init.touch(mode=0o600)
        init.write_text(INIT.format(name=NAME, password=instance.password))
        if account:
            for path in instance.data.iterdir():
                shutil.chown(path, account)
        # Its own scripts are started by name: the PATH of a plain user may lack sbin.
        install = [binary("mariadb-install-db"), "--no-defaults", "--skip-test-db"]
        quiet = ["--auth-root-authentication-method=normal", "--skip-name-resolve"]
        done = subprocess.run(
            [*as_account(account), *install, *quiet, f"--datadir={instance.data}"],
            cwd=instance.data,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Failure(f"mariadb-install-db failed:\n{done.stdout}{done.stderr}")

    def command(self, instance: Instance) -> list[str]:
        settings = {
            "datadir": instance.data,
            "init-file": instance.data / "init.sql",
            # Under 127.0.0.2 it answers too, with a certificate that does not say so.
            "bind-address": "127.0.0.1,127.0.0.2",
            "port": instance.port,
            "socket": "socket",  # In the data folder: paths must be short; --dir may not.
            "pid-file": "pid",
            "ssl-cert": "server.crt",
            "ssl-key": "server.key",
            "log-bin": "binlog",
            "max-connections": 200,
            "innodb-buffer-pool-size": "64M",
            "innodb-use-native-aio": 0,  # What the kernel has of it is soon used up.
            # Commits still reach the kernel: an answered one survives kill -9.
            "innodb-flush-log-at-trx-commit": 1 if instance.durable else 2,
            "innodb-doublewrite": int(instance.durable),
            "sync-binlog": int(instance.durable),
        }
        options = [f"--{key}={value}" for key, value in settings.items()]
        return [_mariadbd(), "--no-defaults", *options, "--skip-name-resolve"]

    def url(self, instance: Instance) -> str:
        """Without TLS, so that tests can read what goes over the wire; the authority is named for those that want it."""
        address = f"127.0.0.1:{instance.port}"
        trusted = f"ssl-mode=DISABLED&ssl-ca={instance.data / 'ca.crt'}"
        return f"mysql://{NAME}:{instance.password}@{address}/{NAME}?{trusted}"

    def answers(self, instance: Instance) -> bool:
        place = ["--protocol=tcp", "-h127.0.0.1", f"-P{instance.port}", f"-u{NAME}"]
        secret = {"MYSQL_PWD": instance.password}
        asked = subprocess.run(
            [binary("mariadb"), "--no-defaults", "--connect-timeout=2", *place, NAME]
            + ["-e", "select 1"],
            env={**clean_environment(), **secret},
            capture_output=True,
            check=False,
        )
        return asked.returncode == 0


def _mariadbd() -> str:
    return binary("mariadbd", Path("/usr/sbin"), Path("/usr/libexec"))
