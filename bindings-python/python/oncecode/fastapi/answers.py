"""What bodies say, and what answers do."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from .._native import Sent
from ..errors import InvalidArgument, InvalidEmail, InvalidPhone
from .models import Body
from .options import Settings

ADDRESSES = ("to", "phoneNumber", "phone", "email")


def given(body: Body) -> dict[str, Any]:
    """The fields that were sent."""
    return {name: value for name, value in body.model_dump().items() if value is not None}


def one_of(said: Mapping[str, Any], names: Sequence[str]) -> Optional[tuple[str, str]]:
    """The one among fields of which one may be given, and its name."""
    found = [name for name in names if name in said]
    if len(found) > 1:
        raise InvalidArgument(f"only one of {', '.join(names)} can be given")
    return (found[0], said[found[0]]) if found else None


def target_of(said: Mapping[str, Any], settings: Settings) -> tuple[Optional[str], str]:
    """The address, where one is given, and the purpose."""
    found = one_of(said, ADDRESSES)
    purpose = said.get("purpose", settings.purposes[0])
    if purpose not in settings.purposes:
        raise InvalidArgument(f"purpose must be one of {', '.join(settings.purposes)}")
    return found and address(*found), purpose


def address(name: str, to: str) -> str:
    """The address, if it is of the kind that its field says."""
    if name == "email" and "@" not in to:
        raise InvalidEmail("not an email address")
    if name.startswith("phone") and "@" in to:
        raise InvalidPhone("not a phone number")
    return to


def own(said: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The app's own fields."""
    return {name: said[name] for name in settings.fields if name in said}


def sent_answer(sent: Sent, what: str) -> dict[str, Any]:
    """The answer when a code is on its way."""
    answer = {
        "success": True,
        "message": f"OTP {what} successfully",
        "id": sent.id,
        "expiresIn": seconds_to(sent.expires_at),
        "retryAfter": seconds_to(sent.resend_at),
        "attemptsLeft": sent.attempts_left,
    }
    return answer if sent.code is None else {**answer, "otp": sent.code}


def seconds_to(moment: datetime) -> int:
    """Whole seconds, rounded up."""
    return max(0, math.ceil((moment - datetime.now(timezone.utc)).total_seconds()))


def iso(moment: datetime) -> str:
    """As JavaScript writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
