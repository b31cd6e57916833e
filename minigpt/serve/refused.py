"""Why a request is not answered, in OpenAI's form, from which its clients make their exceptions."""

from typing import Any

RATE, SERVER, REQUEST = "rate_limit_error", "server_error", "invalid_request_error"


class Refused(Exception):
    """A request is answered with an error.

    Parameters
    ----------
    status : int
        Of HTTP: 400 and on are the client's to mend, 500 and on the server's.
    message : str
        One sentence: what was wrong, what was expected, what to do.
    param : str, optional
        The field of the request that it is about.
    code : str, optional
        A word for programs.
    headers : dict of str to str, optional
        What stands in the answer's head, such as Retry-After.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ):
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """What is sent."""
        kind = SERVER if self.status >= 500 else RATE if self.status == 429 else REQUEST
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def unfit(message: str, param: str | None = None, code: str | None = None) -> Refused:
    """For what the client should write in another way."""
    return Refused(400, message, param=param, code=code)


def busy(message: str) -> Refused:
    """For what would be answered a little later."""
    return Refused(429, message, code="rate_limit_exceeded", headers={"Retry-After": "1"})


def closing() -> Refused:
    """For what comes after the server was asked to end."""
    return Refused(
        503, "the server is shutting down; ask another one", code="shutting_down", headers={"Retry-After": "5"}
    )
