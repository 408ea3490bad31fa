"""What the endpoints take and answer: for the documentation, and to check what comes in."""

from collections.abc import Sequence
from typing import Any, Optional

from pydantic import BaseModel, ConfigDict, Field, create_model


class Body(BaseModel):
    """A body of known fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Address(Body):
    to: Optional[str] = Field(None, description="A phone number or an email address.")
    phoneNumber: Optional[str] = Field(None, description="A phone number.")  # noqa: N815
    phone: Optional[str] = Field(None, description="The same.")
    email: Optional[str] = Field(None, description="An email address.")
    purpose: Optional[str] = Field(None, description="What the code is for.")


class _Code(Body):
    otp: Optional[str] = Field(None, description="The code.")
    code: Optional[str] = Field(None, description="The same.")
    otp_code: Optional[str] = Field(None, description="The same.")


class RequestCode(_Address):
    """One of `to`, `phoneNumber`, `phone` and `email`."""

    locale: Optional[str] = Field(None, description="The message's BCP 47 locale.")


class ResendCode(RequestCode):
    """An address, the `id`, or both."""

    id: Optional[str] = Field(None, description="The `id` of the answer to the first request.")
    type: Optional[str] = Field(None, description="`phone` or `email`; the address says it.")


class VerifyCode(_Address, _Code):
    """A code, and an address, the `id`, or both."""

    id: Optional[str] = Field(None, description="The `id` of the answer to the request.")


class SignUp(Body):
    """A new user's email address."""

    email: str
    user_type: str
    locale: Optional[str] = None


class VerifySignUp(_Code):
    """A new user's code."""

    email: str
    user_type: str


class RequestLink(Body):
    """Whom to send a link to."""

    email: str
    locale: Optional[str] = Field(None, description="The message's BCP 47 locale.")


class VerifyLink(Body):
    """The token of a link."""

    token: str
    email: Optional[str] = Field(None, description="The address it must be for.")


def with_fields(model: type[Body], fields: Sequence[str]) -> type[Body]:
    """The body with the app's own fields."""
    if not fields:
        return model
    own: dict[str, Any] = dict.fromkeys(fields, (Optional[Any], None))
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, **own)


class Answer(BaseModel):
    """It worked."""

    success: bool
    message: str


class CodeSent(Answer):
    """A code is on its way."""

    id: str = Field(description="Names the code: give it to the verification to bind the two.")
    expiresIn: int = Field(description="Seconds.")  # noqa: N815
    retryAfter: int = Field(description="Seconds until the next may be asked for.")  # noqa: N815
    attemptsLeft: int  # noqa: N815
    otp: Optional[str] = Field(None, description="The code, in development alone.")


class Proven(Answer):
    """The address is proven."""

    verified: bool
    token: Optional[str] = None
    user: Optional[dict[str, Any]] = None


class LinkSent(Answer):
    """An email is on its way."""

    expiresIn: int = Field(description="Seconds.")  # noqa: N815
    link: Optional[str] = Field(None, description="The link, in development alone.")


class ShownSession(BaseModel):
    """A session; of a log-in by token the user and the end alone."""

    id: Optional[str] = None
    userId: str  # noqa: N815
    createdAt: Optional[str] = None  # noqa: N815
    lastActiveAt: Optional[str] = None  # noqa: N815
    expiresAt: str  # noqa: N815


class LoggedIn(BaseModel):
    """Who is logged in."""

    success: bool
    session: ShownSession
    user: Optional[dict[str, Any]] = None


class Failed(BaseModel):
    """It did not work."""

    success: bool
    code: str
    message: str
    retryAfter: Optional[int] = None  # noqa: N815
    attemptsLeft: Optional[int] = None  # noqa: N815
    stack: Optional[str] = Field(None, description="In development alone.")
