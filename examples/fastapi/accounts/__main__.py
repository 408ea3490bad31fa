"""`python -m accounts` serves the app."""

import uvicorn

from .app import create_app
from .settings import Settings


def main() -> None:
    """Serve until Ctrl-C."""
    settings = Settings.from_env()
    # Who is a proxy, oncecode's option `trusted_proxies` says; of itself uvicorn would believe
    # the X-Forwarded-For of every program on its machine.
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, proxy_headers=False)


if __name__ == "__main__":
    main()
