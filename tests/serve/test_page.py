"""The page to chat: one file that asks nobody else and shows text as text."""

import asyncio
import base64
import hashlib
import re

from serve_client import app_of, running, small_decoder


def shown():
    async def ask():
        async with running(app_of(small_decoder())) as client:
            return await client.get("/")

    reply = asyncio.run(ask())
    assert reply.status == 200 and reply.headers["content-type"] == "text/html; charset=utf-8"
    return reply.body.decode(), reply.headers["content-security-policy"]


def test_only_its_own_script_and_style_run():
    text, policy = shown()
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    for tag in ("script", "style"):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.findall(r"\son\w+=|\sstyle=", text), "the policy forbids them"


def test_it_asks_nobody_else_and_never_makes_markup_of_text():
    text, _ = shown()
    assert not re.findall(r"https?://|//[a-z]+\.|@import", text)
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", text)


def test_everything_that_is_filled_in_has_a_label():
    text, _ = shown()
    fields = set(re.findall(r'<(?:input|textarea) id="(\w+)"', text))
    assert len(fields) > 5 and fields == set(re.findall(r'<label for="(\w+)"', text))
    assert 'lang="en"' in text and 'role="log"' in text and 'role="alert"' in text and "width=device-width" in text
