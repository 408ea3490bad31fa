"""What messages say."""

import pytest

import oncecode
from conftest import PHONE


@pytest.fixture
def recorded(open_client, options):
    messages = []

    async def opened(**own):
        return await open_client("memory:", **{**options, **own, "sender": messages.append})

    return opened, messages


async def test_templates_of_the_apps_own_are_used_by_purpose_and_language(recorded):
    opened, messages = recorded
    own = {"*": {"hi": {"sms": "{code} {minutes}"}}, "login": {"en": {"sms": "{app}: {code}"}}}
    once = await opened(app_name="Acme", messages=own, domain="acme.example")
    first = await once.codes.issue(to=PHONE, purpose="login")
    second = await once.codes.issue(to=PHONE, purpose="signup", locale="hi-IN")
    assert [(message.text, message.segments) for message in messages] == [
        (f"Acme: {first.code}\n@acme.example #{first.code}", 1),
        (f"{second.code} 10\n@acme.example #{second.code}", 1),
    ]


async def test_an_email_has_a_subject_and_html_that_runs_from_right_to_left_in_arabic(recorded):
    opened, messages = recorded
    once = await opened(app_name="A & B")
    sent = await once.codes.issue(to="ann@example.com", purpose="login", locale="ar")
    (message,) = messages
    assert "A & B" in message.subject
    assert sent.code not in message.subject
    assert 'dir="rtl"' in message.html
    assert "A &amp; B" in message.html
    assert sent.code in message.html
    assert message.segments is None


async def test_a_link_is_sent_with_its_own_words(recorded):
    opened, messages = recorded
    once = await opened()
    page = "https://a.example/{token}?b=1&c=2"
    link = await once.links.send(to="ann@example.com", purpose="verify", url=page)
    assert link.url == page.replace("{token}", link.token)
    (message,) = messages
    assert (message.link, message.code, message.expires_in_seconds) == (link.url, "", 86_400)
    assert link.url in message.text
    assert link.url.replace("&", "&amp;") in message.html
    assert "24 hours" in message.text


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ({"sms": ""}, r"login\.hi\.sms: .*empty"),
        ({"sms": "code"}, r"login\.hi\.sms: \{code\} is missing"),
        ({"text": "{code} {cod}"}, r"login\.hi\.text: unknown placeholder \{cod\}"),
        ({"html": "{code}"}, r"login\.hi\.html needs"),
    ],
)
async def test_a_template_that_cannot_work_is_refused_at_open_by_its_name(template, why):
    with pytest.raises(oncecode.Config, match=why):
        await oncecode.Oncecode.open(
            "memory:", mode="development", messages={"login": {"hi": template}}
        )
