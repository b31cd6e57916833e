"""How much one client may ask of the server, so that the others are answered too."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of a server. What goes beyond one is refused, and the refusal names it.

    Parameters
    ----------
    body_bytes : int
        Of a request.
    prompt_tokens, new_tokens : int, optional
        Of a prompt and of an answer; both together never exceed the model's context.
    choices : int
        Answers in one request: prompts times `n`.
    inputs : int
        Texts to embed in one request. They are computed one by one, so others get their turn in between.
    running : int
        Answers that are written at the same time.
    queue : int
        Answers that may wait for their turn.
    connections : int
        Open at once. A further one is told so; of twice as many, it is closed.
    seconds : float
        For a request, from its last byte to the end of its answer.
    read_seconds : float
        For the head of a request to come, and as much for its body.
    stall_seconds : float
        For a client to read on when more is waiting for it than fits into the buffers of the connection.
    buffered : int
        Tokens of a stream that wait for a client who reads more slowly than the model writes; one more ends the answer.
    """

    body_bytes: int = 1 << 20
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    choices: int = 16
    inputs: int = 1024
    running: int = 16
    queue: int = 64
    connections: int = 256
    seconds: float = 600.0
    read_seconds: float = 10.0
    stall_seconds: float = 30.0
    buffered: int = 4096
