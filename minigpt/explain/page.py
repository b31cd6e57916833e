"""One page that shows an explanation: no network, no framework, and readable where scripts are off."""

import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from minigpt import __version__
from minigpt.errors import visible
from minigpt.explain.explanation import AHEAD_OF_ALL, FROM_OTHER, SAME, WAYS, Explanation, Scores, place_name
from minigpt.explain.integrated import AHEAD, NAME
from minigpt.explain.question import EMBEDDING, SOURCE
from minigpt.explain.table import Trials
from minigpt.explain.verdict import percent, verdict_of

LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"  # of an attention weight, one letter each
MOST_BYTES = 999_900  # of a page, which has less than a megabyte; a remark on what does not fit may grow by some
BESIDE = 4  # bytes beside the letters of a head: quotes, comma and blank; beside the heads of a layer as many
ROW, BAR, WIDTH = 19, 115, 370  # of a picture of bars: the height of a bar, the longest one, all of it
NOT_FROM_OTHER = '<p class="note">It was tried from nothing in particular, not from another text.</p>'


def write_page(found: Explanation, trials: Trials) -> str:
    """The whole page as HTML. trials: how far each method found causes that are known.

    The maps get what all else leaves of a megabyte.
    """
    without = len(_page(found, trials, {}).encode())
    return _page(found, trials, attention_data(found, MOST_BYTES - without))


def _page(found: Explanation, trials: Trials, maps: dict[str, Any]) -> str:
    """maps: what `attention_data` gives."""
    title = f"Why {_shown(found.target)}?" if found.probability is not None else "What makes the two texts alike?"
    chosen = "\n".join(
        f"main:has(#choose-{place}:checked) .method:not(#method-{place}) {{ display: none; }}"
        for place in range(len(found.scores))
    )
    body = "\n".join(
        [
            f"<header><h1>{html.escape(title)}</h1></header>",
            "<main>",
            _choice(found.scores, trials),
            *(_method(place, one, found, trials) for place, one in enumerate(found.scores)),
            _what_was_asked(found),
            _patches(found),
            _sum(found),
            _lens(found),
            _attention(found, trials, maps),
            _table(trials, [one.method for one in found.scores]),
            _remark(found),
            "</main>",
        ]
    )
    page = files("minigpt.explain").joinpath("page.html").read_text(encoding="utf-8")
    texts = {"title": html.escape(title), "chosen": chosen, "body": body, "data": _json(maps)}
    return re.sub(r"\[\[(title|chosen|body|data)\]\]", lambda place: texts[place[1]], page)  # not in what they hold


def attention_data(found: Explanation, room: int) -> dict[str, Any]:
    """The maps for the selectors: stack -> queries, keys, and of each layer and head a string of levels.

    Of a decoder only what a token may see is kept. room: bytes that all may take; the last layers that fit are kept.
    """
    data: dict[str, Any] = {}
    for name, weights in found.maps.items():
        queries, keys = found.labels[SOURCE if name == SOURCE else EMBEDDING], found.labels[
            EMBEDDING if name == EMBEDDING else SOURCE
        ]  # fmt: skip
        rows, columns = weights.shape[2:]
        causal = rows == columns and not np.triu(weights, 1).any()
        where = np.tril_indices(rows) if causal else np.nonzero(np.ones((rows, columns), bool))
        said = {
            "name": place_name(name, found.labels),
            "causal": causal,
            "first": len(weights),
            "maps": [],
            "queries": [_shown(word) for word in queries[-rows:]],
            "keys": [_shown(word) for word in keys[-columns:]],
        }
        left = room - len(_json({**data, name: said}).encode())
        layers = min(len(weights), left // (weights.shape[1] * (len(where[0]) + BESIDE) + BESIDE))
        if layers <= 0:
            continue
        levels = np.rint(63 * np.clip(weights[-layers:][..., where[0], where[1]], 0, 1)).astype(int)
        maps = [["".join(LEVELS[one] for one in head) for head in layer.tolist()] for layer in levels]
        data[name] = {**said, "first": len(weights) - layers, "maps": maps}
    return data


def _json(data: dict[str, Any]) -> str:
    """Data that ends no script which holds it."""
    return json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")


def _shown(word: str) -> str:
    """A token so that its blanks are seen."""
    return "\u201c" + visible(word.replace("\n", "\u21b5").replace("\t", "\u21e5")) + "\u201d"


def _choice(scores: Sequence[Scores], trials: Trials) -> str:
    if len(scores) < 2:
        return '<input type="radio" id="choose-0" checked hidden>'
    first = _first(scores, trials)
    options = "".join(
        f'<span class="option"><input type="radio" name="method" id="choose-{place}"'
        f'{" checked" if place == first else ""}><label for="choose-{place}">{html.escape(one.method)}</label>'
        "</span>"
        for place, one in enumerate(scores)
    )
    return f"<fieldset><legend>Method</legend>{options}</fieldset>"


def _first(scores: Sequence[Scores], trials: Trials) -> int:
    """The method that is shown first: one whose sum was checked, if there is one; else that which best finds causes."""

    def good(one: Scores) -> tuple[bool, bool, float]:
        shares = [trials.mean(one.method, arm) for arm in trials.accuracy] if one.method in trials.measures else [0.0]
        return not one.refused, one.error is not None, min(shares)

    return max(range(len(scores)), key=lambda place: good(scores[place]))


def _method(place: int, one: Scores, found: Explanation, trials: Trials) -> str:
    name = html.escape(one.method)
    if one.refused:
        said = f"<h2>{name}</h2><p>Refused: {html.escape(one.refused)}</p>"
        return f'<section class="method" id="method-{place}">{said}</section>'
    figures = "".join(
        _bars(
            f"{one.method}, {place_name(where, found.labels)}",
            [(_shown(word), float(score)) for word, score in zip(found.labels[where], scores, strict=True)],
        )
        for where, scores in one.by_place.items()
    )
    summed = "" if one.error is None else f" Its scores sum to what they should within {100 * one.error:.2g} %."
    way = f" {html.escape(WAYS[one.way])}" if one.method == NAME else ""
    return (
        f'<section class="method" id="method-{place}"><h2>What speaks for it: {name}</h2><figure>{figures}<figcaption>'
        f"Right and blue speaks for it, left and orange against it.{summed}{way}</figcaption></figure>"
        f"{_trust(AHEAD if one.way == AHEAD_OF_ALL else one.method, trials)}"
        f"{NOT_FROM_OTHER if one.way == FROM_OTHER else ''}</section>"
    )


def _trust(method: str, trials: Trials) -> str:
    return f'<p class="note"><strong>How far to trust it.</strong> {html.escape(verdict_of(method, trials))}</p>'


def _bars(title: str, rows: Sequence[tuple[str, float]]) -> str:
    """A picture of bars, and the same as a table."""
    most = max((abs(value) for _, value in rows), default=0.0) or 1.0
    parts = [f'<line class="axis" x1="{WIDTH - BAR}" x2="{WIDTH - BAR}" y1="0" y2="{ROW * len(rows)}"/>']
    x = WIDTH - BAR  # zero
    for place, (label, value) in enumerate(rows):
        width, y = BAR * abs(value) / most * 0.92, place * ROW
        start = x if value >= 0 else x - width
        parts.append(f'<text x="0" y="{y + 14}">{html.escape(_cut(label))}</text>')
        parts.append(
            f'<rect class="{"for" if value >= 0 else "against"}" x="{start:.1f}" y="{y + 3}" width="{width:.1f}" '
            f'height="{ROW - 6}"/>'
        )
    best = max(rows, key=lambda row: abs(row[1]), default=("nothing", 0.0))
    label = html.escape(f"{title}: a bar for each; the longest is {best[0]} with {best[1]:+.3f}")
    cells = "".join(
        f'<tr><td>{html.escape(label)}</td><td class="number">{value:+.3f}</td></tr>' for label, value in rows
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {ROW * len(rows)}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
        f"<details><summary>{html.escape(title)}: the numbers</summary><table><thead><tr><th>what</th>"
        f'<th class="number">score</th></tr></thead><tbody>{cells}</tbody></table></details>'
    )


def _cut(label: str, most: int = 18) -> str:
    return label if len(label) <= most else label[: most - 1] + "\u2026"


def _what_was_asked(found: Explanation) -> str:
    chance = "" if found.probability is None else f", with probability {found.probability:.3f}"
    rival = f" less that of {_shown(found.against)}, the likeliest after the other text" if found.against else ""
    other = "" if not found.other else f'<p>The other text:</p><p class="text">{_escaped(found.other)}</p>'
    said = f"The model says {_shown(found.target)}{chance}. Explained is its score before the softmax{rival}"
    if found.probability is None:
        said = "Explained is how far the vector of this text reaches in the direction of the other's"
    same = f" {SAME}" if found.same else ""
    return (
        f'<section><h2>What was asked</h2><p class="text">{_escaped(found.text)}</p>{other}<p>{html.escape(said)}: '
        f"{found.value:.3f}.{same}</p></section>"
    )


def _escaped(text: str) -> str:
    return html.escape(visible(text))


def _patches(found: Explanation) -> str:
    if found.patched is None or found.patched_heads is None:
        return ""
    how = (
        "each was tried" if found.exact else "told to first order from one gradient, which misses attention that moves"
    )
    words = [_shown(word) for word in found.labels[EMBEDDING]]
    heads = [f"{head}" for head in range(found.patched_heads.shape[1])]
    return (
        "<section><h2>Where the two texts part</h2><p>What one layer holds of the other text is put into this one: how "
        f"far does that take the answer to the other's? 100 is all the way; {how}.</p>"
        f"{_grid('residual stream after each layer, by token', words, found.patched)}"
        f"{_grid('heads of each layer', heads, found.patched_heads)}</section>"
    )


def _grid(title: str, columns: Sequence[str], values: np.ndarray) -> str:
    """A table whose cells are the darker the more they take over, with the number in each."""
    head = "".join(f'<th class="number" scope="col">{html.escape(word)}</th>' for word in columns)
    rows = "".join(
        f'<tr><th scope="row">{layer}</th>' + "".join(_cell(value) for value in row) + "</tr>"
        for layer, row in enumerate(values.tolist())
    )
    return (
        f'<div class="wide grid" tabindex="0" role="region" aria-label="{html.escape(title)}"><table><caption>'
        f"{html.escape(title)}</caption><thead><tr><th>layer</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(value: float) -> str:
    share = min(1.0, abs(value))
    return f'<td class="number{" far" if share >= 0.2 else ""}">{round(100 * value)}</td>'


def _sum(found: Explanation) -> str:
    if not found.parts:
        return ""
    rows = [*((part_name(name), score) for name, score in found.parts), ("all others", found.rest)]
    return (
        f"<section><h2>Which parts write it</h2><figure>{_bars('terms of the score', rows)}<figcaption>The score is a "
        "sum over the embedding, every head and every feed-forward network, by number of the "
        "block; the last norm's scale is held still."
        "</figcaption></figure></section>"
    )


def part_name(name: str) -> str:
    """The name of an activation, short enough to stand beside a bar: `3 feed-forward`, `3 head 2`."""
    found = re.fullmatch(r"blocks\.(\d+)\.(.*)", name)
    if found is None:
        return name
    words = {"feed_forward": "feed-forward", "attention.head.": "head ", "cross_attention.head.": "across, head ",
             "attention.output.bias": "bias of heads", "cross_attention.output.bias": "bias of across",
             "attention_norm.bias": "norm after heads", "cross_attention_norm.bias": "norm after cross",
             "feed_forward_norm.bias": "norm after ff"}  # fmt: skip
    rest = found[2]
    for old, new in sorted(words.items(), key=lambda pair: -len(pair[0])):
        rest = rest.replace(old, new)
    return f"{found[1]} {rest}"


def _lens(found: Explanation) -> str:
    if not found.lens:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        + "".join(f"<td>{html.escape(_shown(word))} {100 * share:.0f} %</td>" for word, share in best)
        + "</tr>"
        for name, best in found.lens
    )
    return (
        "<section><h2>What it would say after each layer</h2>"
        '<div class="wide" tabindex="0" role="region" aria-label="the likeliest answers after each layer"><table>'
        "<thead><tr><th>after</th><th>likeliest</th><th>second</th><th>third</th></tr></thead>"
        f'<tbody>{rows}</tbody></table></div><p class="note">The logit lens: early layers write in other directions '
        "than the head reads, so their rows mean less.</p></section>"
    )


def _attention(found: Explanation, trials: Trials, maps: dict[str, Any]) -> str:
    if not found.maps:
        return ""
    figures = "".join(
        _bars(
            f"attention rollout, {place_name(name, found.labels)}",
            [(_shown(word), float(one)) for word, one in zip(found.labels[name][-len(shares) :], shares, strict=True)],
        )
        for name, shares in found.rolled.items()
    )
    options = "".join(
        f'<label>{label}<select id="{name}"></select></label>'
        for name, label in (("stack", "stack"), ("layer", "layer"), ("head", "head"), ("row", "token that looks"))
    )
    return (
        f"<section><h2>Where the heads look</h2><figure>{figures}<figcaption>Attention rollout: how much of each token "
        f"could have come here, over all layers.</figcaption></figure>{_trust('attention rollout', trials)}"
        f'<p class="note">A map shows where a head looks, which need not be what counts.{_fitting(found, maps)}</p>'
        '<div id="heads" hidden>'
        f'<div class="selectors">{options}</div><canvas id="map" role="img" aria-label="attention of a head"></canvas>'
        '<p id="said" aria-live="polite"></p><table><thead><tr><th>looks at</th><th class="number">attention</th></tr>'
        '</thead><tbody id="looks"></tbody></table></div><noscript><p>The map of each head needs scripts; all else on '
        "this page does not.</p></noscript></section>"
    )


def _fitting(found: Explanation, data: dict[str, Any]) -> str:
    """In words, which layers' maps are left out for the page's size; nothing if all are there."""
    said = ""
    for name, weights in found.maps.items():
        first = data[name]["first"] if name in data else len(weights)
        if first == 0:
            continue
        kept = f"only those of the last {len(weights) - first} fit" if first < len(weights) else "none of them fits"
        said += f" Of the {len(weights)} layers of {place_name(name, found.labels)} {kept} on a page of a megabyte."
    return said


def _table(trials: Trials, methods: Sequence[str]) -> str:
    names = [name for name in ("chance", "attention rollout", *methods) if name in trials.measures]
    arms = list(trials.accuracy)
    head = "".join(f'<th class="number" scope="col">{html.escape(arm)}</th>' for arm in arms)
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        + "".join(f'<td class="number">{percent(trials.measures[name][arm])}</td>' for arm in arms)
        + f'<td class="number">{100 * max(trials.mean(name, f"randomized, {arm}") for arm in arms):.0f} %</td></tr>'
        for name in names
    )
    return (
        "<section><h2>Which methods find a cause that is known?</h2>"
        '<div class="wide" tabindex="0" role="region" aria-label="trials of the methods"><table><thead><tr>'
        f'<th>method</th>{head}<th class="number" scope="col">same place with random weights</th></tr></thead>'
        f'<tbody>{rows}</tbody></table></div><p class="note">Models of two layers with a window, {trials.seeds} seeds: '
        "the cause is one token, seen directly or through another. Shares of texts, lowest and highest model in "
        "brackets. The position that asks is scored as well; rollout puts it first by its own rule, whatever the "
        "weights.</p></section>"
    )


def _remark(found: Explanation) -> str:
    said = f"{found.model}, by minigpt {__version__}. This page asks no other address."
    return f'<footer><p class="note">{html.escape(said)}</p></footer>'
