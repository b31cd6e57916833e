"""What every test shares."""

import os

import pytest


def require(condition: bool, reason: str) -> None:
    """Skip the running test with `reason` unless `condition` holds; with MINIGPT_REQUIRE_ALL=1, fail instead."""
    if condition:
        return
    if os.environ.get("MINIGPT_REQUIRE_ALL") == "1":
        pytest.fail(f"MINIGPT_REQUIRE_ALL=1, but {reason}")
    pytest.skip(reason)
