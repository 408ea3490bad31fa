"""One-time codes for FastAPI: a router, dependencies, and a client that opens with the app.

```python
from oncecode.fastapi import Lifespan, install, require_session, router

once = Lifespan("redis://localhost:6379", secret=os.environ["ONCECODE_SECRET"], sender=send)
app = FastAPI(lifespan=once)
install(app, once)
app.include_router(router(once), prefix="/api/auth")


@app.get("/me")
async def me(session: Annotated[Session, Depends(require_session(once))]): ...
```

Needs the extra: `pip install "oncecode[fastapi]"`.
"""

from ..asgi import DevInbox, Idempotent
from .dependencies import optional_session, rate_limit, require_session, require_token
from .install import install
from .lifespan import Lifespan
from .options import LinkRoutes, ProvenAddress
from .routes import router

__all__ = [
    "DevInbox",
    "Idempotent",
    "Lifespan",
    "LinkRoutes",
    "ProvenAddress",
    "install",
    "optional_session",
    "rate_limit",
    "require_session",
    "require_token",
    "router",
]
