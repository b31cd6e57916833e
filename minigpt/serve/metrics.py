"""What the server counts, in the plain text that Prometheus reads (its exposition format, version 0.0.4)."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
OTHER = "other"  # anything else that a client calls a route or a method, so that nobody can make rows without end


class Histogram:
    """How many observations were at most as large as each of some bounds."""

    def __init__(self, bounds: tuple[float, ...] = SECONDS):
        self.bounds, self.counts = bounds, [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def lines(self, name: str) -> Iterator[str]:
        """In Prometheus's form, where every bucket holds those before it."""
        total = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self.sum}"
        yield f"{name}_count {total}"


class Metrics:
    """The numbers of one server. The event loop alone changes them."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()  # route, method, status
        self.tokens_in = self.tokens_out = 0
        self.first_token, self.each_token, self.request = Histogram(), Histogram(), Histogram()

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self.requests[route, method if method in METHODS else OTHER, status] += 1
        self.request.observe(seconds)

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """All of it. gauges: what else is known now: name -> (explanation, value)."""
        lines = list(_head("minigpt_requests_total", "counter", "answered requests"))
        for (route, method, status), count in sorted(self.requests.items()):
            lines.append(f'minigpt_requests_total{{route="{route}",method="{method}",status="{status}"}} {count}')
        counters = {
            "prompt_tokens_total": ("tokens of prompts", self.tokens_in),
            "generated_tokens_total": ("tokens that were written", self.tokens_out),
        }
        for name, (help, value) in counters.items():
            lines += [*_head(f"minigpt_{name}", "counter", help), f"minigpt_{name} {value}"]
        for name, (help, number) in gauges.items():
            lines += [*_head(f"minigpt_{name}", "gauge", help), f"minigpt_{name} {number:g}"]
        histograms = {
            "time_to_first_token_seconds": ("from a request's arrival to its first token", self.first_token),
            "time_per_token_seconds": ("from one token of an answer to the next", self.each_token),
            "request_seconds": ("from a request's head to the end of its answer", self.request),
        }
        for name, (help, histogram) in histograms.items():
            lines += [*_head(f"minigpt_{name}", "histogram", help), *histogram.lines(f"minigpt_{name}")]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, help: str) -> Iterator[str]:
    yield f"# HELP {name} {help}"
    yield f"# TYPE {name} {kind}"
