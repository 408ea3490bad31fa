"""One-time codes and ASGI: who asks, what errors say, limits, idempotency, and an inbox.

Needs nothing but an ASGI server; `oncecode.fastapi` is built on it. Middleware wraps any ASGI app:

```python
app = Errors(RateLimit(Idempotent(app, once), once, "api"), once)
```
"""

from .caller import Opened, bearer, client_ip, session_token
from .errors import Errors, Unreadable, respond_error
from .idempotent import Idempotent
from .inbox import DevInbox, InboxMessage
from .limit import RateLimit

__all__ = [
    "DevInbox",
    "Errors",
    "Idempotent",
    "InboxMessage",
    "Opened",
    "RateLimit",
    "Unreadable",
    "bearer",
    "client_ip",
    "respond_error",
    "session_token",
]
