"""Writing with drafts: the tokens of plain writing where nothing is drawn, their exact distribution where it is."""

import inspect
import itertools
import types
from collections import defaultdict

import numpy as np
import pytest
from small_model import VARIANTS, small_model

from minigpt import CharacterTokenizer, OpenedModel, UserError, open_model
from minigpt.compress import Compression, compress_model
from minigpt.infer import (
    GREEDY,
    PURE,
    DraftModel,
    KeyValuePast,
    PromptLookup,
    Sampling,
    Speculation,
    early_exit,
    generate,
    generate_text,
    speculative,
)
from minigpt.infer.drafts import NOTHING, Proposal, check_same_tokenizer
from minigpt.infer.sampling import distribution
from minigpt.infer.speculative import RUNNING, break_even
from minigpt.text import BytePairTokenizer

PROMPT = np.array([3, 1, 4, 1, 5])
SAMPLINGS = {
    "pure": PURE,
    "hot": Sampling(0.6),
    "top-k": Sampling(1.3, top_k=2),
    "top-p": Sampling(0.9, top_p=0.7),
    "all": Sampling(0.8, top_k=3, top_p=0.8),
}


class Repeats:
    """A draft that guesses the last token again: right now and then in texts of small models."""

    name = "repeats"

    def begin(self, tokens, room, vocabulary_size):
        pass

    def propose(self, tokens, count, sampling, rng):
        return Proposal(np.full(count, tokens[-1]))


def drafts(model, params, **other):
    """One of each kind, and some that are always and never right."""
    small = small_model(seed=5, layers=1, width=8, **other)
    return {
        "model": DraftModel(*small),
        "itself": DraftModel(model, params),
        "exit": early_exit(model, params, 1),
        "look-up": PromptLookup(shortest=1),
        "repeats": Repeats(),
    }


def write(model, params, draft, count=60, *, draft_tokens=3, **options):
    """The tokens, and what was counted."""
    speculation = Speculation(draft, draft_tokens, adapt=False)
    return list(generate(model, params, PROMPT, count, speculation=speculation, **options)), speculation


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("draft", ["model", "itself", "exit", "look-up", "repeats"])
def test_greedy_text_is_that_of_plain_writing_also_where_the_window_slides(variant, draft):
    model, params = small_model(seed=8, **VARIANTS[variant])
    plain = list(generate(model, params, PROMPT, 60, sampling=GREEDY))
    written, speculation = write(model, params, drafts(model, params)[draft], sampling=GREEDY)
    assert written == plain
    assert speculation.tokens == 60 == speculation.calls + speculation.accepted
    if draft == "itself":
        assert speculation.acceptance == 1 and speculation.calls < 45
    assert speculation.proposed > 0


@pytest.mark.parametrize("context", [1, 2, 3, 7])
@pytest.mark.parametrize("cached", [True, False])
def test_no_context_is_too_short(context, cached):
    """Also with a draft whose own context is another one."""
    model, params = small_model(context=context)
    plain = list(generate(model, params, PROMPT, 50, sampling=GREEDY))
    for draft in (early_exit(model, params, 1), DraftModel(*small_model(seed=1, context=5)), PromptLookup(2, 1)):
        assert write(model, params, draft, 50, sampling=GREEDY, cached=cached)[0] == plain


def test_a_draft_with_a_longer_context_sees_the_whole_prompt():
    """The model's window has the last twelve tokens of fifteen; the draft's has all of them, and each only once."""
    model, params = small_model()
    draft, prompt = DraftModel(*small_model(seed=1, context=19)), np.arange(15)
    plain = list(generate(model, params, prompt, 4, sampling=GREEDY))
    speculation = Speculation(draft, 30, adapt=False, plain_first=0)
    assert list(generate(model, params, prompt, 4, sampling=GREEDY, speculation=speculation)) == plain
    assert speculation.proposed > 0
    seen = draft._window.tokens[0]
    assert seen[:15].tolist() == prompt.tolist() and seen[15] == plain[0]


ENDLESS = {"window": 5, "sinks": 1, "context": 12}


@pytest.mark.parametrize("position", ["rotary", "alibi", "none"])
@pytest.mark.parametrize("draft", ["model", "exit", "repeats"])
def test_greedy_text_is_the_same_where_the_cache_lets_go_what_no_window_reaches(position, draft):
    model, params = small_model(seed=8, position=position, **ENDLESS)
    assert model.config.endless
    plain = list(generate(model, params, PROMPT, 50, sampling=GREEDY))
    written, speculation = write(model, params, drafts(model, params)[draft], 50, sampling=GREEDY)
    assert written == plain and speculation.proposed > 0


@pytest.mark.parametrize("draft", ["look-up", "repeats"])
@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
def test_what_draws_nothing_keeps_the_text_of_a_seed(draft, sampling):
    model, params = small_model(seed=2)
    options = {"sampling": sampling, "vocabulary_size": 7}
    plain = list(generate(model, params, PROMPT, 80, rng=np.random.default_rng(3), **options))
    draft = drafts(model, params)[draft]
    written, speculation = write(model, params, draft, 80, rng=np.random.default_rng(3), **options)
    assert written == plain
    assert 0 < speculation.accepted < speculation.proposed


def test_one_seed_writes_one_text():
    model, params = small_model()
    texts = [
        write(model, params, early_exit(model, params, 1), 50, rng=np.random.default_rng(seed))[0] for seed in (4, 4, 5)
    ]
    assert texts[0] == texts[1] != texts[2]


class Paths:
    """Plays a random procedure again and again until every way through its decisions has been taken.

    `draw` and `happens` take the place of the functions that decide. The probability of the path is multiplied up.
    """

    def __init__(self):
        self.ways, self.open = [], [[]]

    def begin(self):
        self.decided, self.probability = self.open.pop(), 1.0
        self.step = 0

    def decide(self, probabilities):
        if self.step == len(self.decided):
            possible = [choice for choice, chance in enumerate(probabilities) if chance > 0]
            self.open += [[*self.decided, choice] for choice in possible[1:]]
            self.decided = [*self.decided, possible[0]]
        choice = self.decided[self.step]
        self.step += 1
        self.probability *= probabilities[choice]
        return choice

    def draw(self, probabilities, _rng):
        return np.array([self.decide(probabilities[0] / probabilities[0].sum())])

    def happens(self, probability, _rng):
        probability = min(1.0, probability)
        return self.decide([1 - probability, probability]) == 1

    def next_tokens(self, logits, sampling, rng):
        return self.draw(distribution(logits, sampling), rng)


def planted(old="", new=""):
    """The module with `old` replaced by `new` in its source."""
    source = inspect.getsource(speculative)
    assert old in source
    module = types.ModuleType("planted")
    exec(compile(source.replace(old, new), "planted", "exec"), module.__dict__)
    return module


def remember(monkeypatch):
    """Windows ask their model once for each text; there are thousands of ways and few texts."""
    for name in ("logits", "logits_ahead"):
        monkeypatch.setattr(speculative.Window, name, remembering(getattr(speculative.Window, name)))


def remembering(ask):
    answers = {}

    def remembered(window, *drafted):
        key = (id(window.model), *[array.tobytes() for array in (window.tokens, *drafted)])
        if key not in answers:
            window.past.truncate(0)
            answers[key] = ask(window, *drafted)
        return answers[key]

    return remembered


def exact(monkeypatch, module, model, params, draft, sampling, count):
    """The probability of every text of `count` tokens, all ways to it summed up."""
    paths, found = Paths(), defaultdict(float)
    for name in ("draw", "happens", "next_tokens"):
        monkeypatch.setattr(module, name, getattr(paths, name))
    monkeypatch.setattr("minigpt.infer.drafts.draw", paths.draw)
    while paths.open:
        paths.begin()
        window = speculative.Window(model, params, PROMPT[None], vocabulary_size=4)
        speculation = module.Speculation(draft, 2, adapt=False, plain_first=-1)
        ids = [int(one[0]) for one in module.speculate(window, speculation, PROMPT, count, sampling, None, ())]
        found[tuple(ids)] += paths.probability
    return found


def direct(model, params, sampling, count):
    """The same for plain writing: the product of the probabilities of its tokens."""
    found = {}
    for text in itertools.product(range(4), repeat=count):
        tokens = np.concatenate([PROMPT, text])[None]
        logits = model.forward(params, tokens)[0][0, len(PROMPT) - 1 : -1, :4]
        found[text] = np.prod(distribution(logits, sampling)[np.arange(count), text])
    return found


def total_variation(one, other):
    return sum(abs(one.get(text, 0) - other.get(text, 0)) for text in {*one, *other}) / 2


def exact_case(monkeypatch, module, sampling, count=3, kind="model"):
    """How far the procedure of `module` is from the distribution that it should have."""
    remember(monkeypatch)
    model, params = unsure_model(seed=4)
    kinds = {"model": DraftModel(*unsure_model(seed=5)), "exit": early_exit(model, params, 1), "repeats": Repeats()}
    found = exact(monkeypatch, module, model, params, kinds[kind], sampling, count)
    wanted = direct(model, params, sampling, count)
    assert sum(found.values()) == pytest.approx(1, abs=1e-12)
    assert sum(chance > 0.01 for chance in wanted.values()) > 5  # or there would be little to get wrong
    return total_variation(found, wanted)


def unsure_model(seed):
    """Many continuations are likely, and two models disagree."""
    model, params = small_model(seed=seed, vocabulary_size=6)
    params.flat *= 0.4
    return model, params


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
@pytest.mark.parametrize("kind", ["model", "exit", "repeats"])
def test_the_distribution_of_three_tokens_is_exactly_that_of_plain_writing(monkeypatch, sampling, kind):
    assert exact_case(monkeypatch, planted(), sampling, kind=kind) < 1e-12


MISTAKES = {
    "accepts always": ("happens(p[0, guess] / drawn_with[guess], rng)", "True"),
    "accepts p, not p / q": ("happens(p[0, guess] / drawn_with[guess], rng)", "happens(p[0, guess], rng)"),
    "the rest is p": ("rest if rest.any() else p", "p"),
    "the rest is not made positive": ("np.maximum(p - drawn_with, 0)", "np.abs(p - drawn_with)"),
    "the last token from the wrong row": (
        "next_tokens(logits[-1:], sampling, rng)",
        "next_tokens(logits[:1], sampling, rng)",
    ),
    "judged one row late": ("logits[row : row + 1], guess", "logits[row + 1 : row + 2], guess"),
    "the model before top-p": ("p = distribution(logits, sampling)", "p = distribution(logits, Sampling())"),
    "goes on after a wrong guess": ("            return ids\n    return [*ids", "            pass\n    return [*ids"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(monkeypatch, mistake):
    assert exact_case(monkeypatch, planted(*MISTAKES[mistake]), SAMPLINGS["top-p"], count=3) > 1e-3


def test_a_draft_that_tells_its_probabilities_before_top_p_is_seen(monkeypatch):
    """It must say what it drew with, not what it would have drawn with."""
    import minigpt.infer.drafts as module

    told = DraftModel.propose

    def propose(self, tokens, count, sampling, rng):
        proposal = told(self, tokens, count, sampling, rng)
        rows = [self.model.forward(self.params, np.array([[*tokens, *proposal.ids]]))[0][0, len(tokens) - 1 : -1, :4]]
        return proposal._replace(probabilities=distribution(rows[0], PURE)) if count else NOTHING

    monkeypatch.setattr(module.DraftModel, "propose", propose)
    assert exact_case(monkeypatch, planted(), SAMPLINGS["top-p"]) > 1e-3


def test_a_rest_that_is_not_made_one_is_seen():
    """`draw` divides by the sum; without that the last ids would get what is missing."""

    def draw(probabilities, rng):
        below = (probabilities.cumsum(axis=-1) <= rng.random((1, 1))).sum(axis=-1)
        return np.minimum(below, 3)

    rng = np.random.default_rng(0)
    p, q = np.array([[0.5, 0.2, 0.2, 0.1]]), np.array([0.1, 0.1, 0.3, 0.5])
    rest = np.maximum(p - q, 0)  # (0.4, 0.1, 0, 0)
    counts = [
        np.bincount([int(one(rest, rng)[0]) for _ in range(2000)], minlength=4) for one in (speculative.draw, draw)
    ]
    assert counts[0][2:].sum() == 0 and abs(counts[0][0] / 2000 - 0.8) < 0.05
    assert counts[1][3] > 500


def test_drawn_texts_are_as_near_as_two_direct_samples_are(monkeypatch):
    """With a real generator: the total variation between samples of equal size, speculative and direct."""
    remember(monkeypatch)
    model, params = unsure_model(seed=4)
    sampling, size = Sampling(0.9, top_k=3), 800

    def sample(seed, draft):
        rng, counts = np.random.default_rng(seed), defaultdict(float)
        for _ in range(size):
            options = {"speculation": Speculation(draft, 2, adapt=False, plain_first=-1)} if draft else {}
            counts[tuple(generate(model, params, PROMPT, 2, sampling=sampling, rng=rng, **options))] += 1 / size
        return counts

    draft = DraftModel(*unsure_model(seed=5))
    direct_one, direct_two, drafted = sample(1, None), sample(2, None), sample(3, draft)
    assert total_variation(drafted, direct_one) < total_variation(direct_two, direct_one) + 0.03


def test_a_look_up_finds_the_longest_match_and_of_equal_ones_the_last():
    def ids(text, count=3, **options):
        return PromptLookup(**options).propose(np.array(text), count, PURE, None).ids.tolist()

    assert ids([1, 2, 3, 7, 1, 2, 3, 8, 1, 2, 3]) == [8, 1, 2]
    assert ids([1, 2, 3, 7, 9, 2, 3, 8, 1, 2, 3]) == [7, 9, 2]  # three tokens count more than two
    assert ids([1, 2, 5, 9, 2]) == []
    assert ids([1, 2, 5, 9, 2], shortest=1) == [5, 9, 2]
    assert ids([4, 4, 4]) == [4]  # it may reach up to the end of what is known
    assert ids([4]) == []
    with pytest.raises(UserError, match="a match of 3 to 2 tokens cannot be"):
        PromptLookup(longest=2, shortest=3)


def test_both_caches_go_back(monkeypatch):
    """What was guessed wrongly is forgotten on both sides; nothing is computed twice."""
    model, params = small_model(context=40)
    seen, truncate = [], KeyValuePast.truncate

    def watched(self, length):
        seen.append((self.length, length))
        truncate(self, length)

    monkeypatch.setattr(KeyValuePast, "truncate", watched)
    speculation = write(model, params, early_exit(model, params, 1), 30, rng=np.random.default_rng(0))[1]
    wrong = sum(one.drafted - one.accepted for one in speculation.rounds)
    assert wrong > 0 and sum(before - after for before, after in seen if before > after) >= wrong


class Clock:
    """Time that goes on as the test wants: `cost` for each look at it that is not the first of a call."""

    def __init__(self, draft, call):
        self.now, self.step = 0.0, 0
        self.costs = (0.0, draft, call)  # start, after guessing, after the call

    def __call__(self):
        self.now += self.costs[self.step % 3]
        self.step += 1
        return self.now


@pytest.mark.parametrize(("draft_seconds", "off"), [(0.1, False), (9.0, True)])
def test_a_draft_that_makes_writing_slower_is_switched_off(draft_seconds, off):
    """With a draft that is always right, 4 tokens take draft_seconds + 1, and plain ones 1 each."""
    model, params = small_model(context=400)
    speculation = Speculation(DraftModel(model, params), 3, clock=Clock(draft_seconds, 1.0))
    monitored = list(generate(model, params, PROMPT, 300, sampling=GREEDY, speculation=speculation))
    assert monitored == list(generate(model, params, PROMPT, 300, sampling=GREEDY))  # whatever the clock says
    assert (speculation.off_after is not None) == off
    assert ("switched off" in str(speculation)) == off
    if off:
        assert sum(one.drafted > 0 for one in speculation.rounds) == RUNNING
        assert speculation.break_even is None or speculation.break_even > 0.9
    else:
        assert speculation.ratio > 2 and 0 < speculation.break_even < 0.2


def test_adapt_false_does_not_look_at_the_clock():
    model, params = small_model(context=400)
    texts = []
    for seconds in (0.0, 50.0):
        speculation = Speculation(early_exit(model, params, 1), 3, adapt=False, clock=Clock(seconds, 1.0))
        rng = np.random.default_rng(2)
        texts.append(list(generate(model, params, PROMPT, 150, rng=rng, speculation=speculation)))
        assert speculation.off_after is None
    assert texts[0] == texts[1]


def test_break_even_is_where_a_call_gives_what_it_costs():
    for alpha, drafted in ((0.3, 4), (0.9, 2), (0.5, 1)):
        tokens = sum(alpha**n for n in range(drafted + 1))
        assert break_even(tokens, drafted) == pytest.approx(alpha)
    assert break_even(5.1, 4) is None
    assert break_even(0.9, 4) == pytest.approx(0, abs=1e-9)


def test_stops_as_plain_writing_does():
    """At a stop token amid the guesses, at a stop string, and never with an id past the vocabulary."""
    model, params = small_model(seed=8)
    plain = list(generate(model, params, PROMPT, 60, sampling=GREEDY))
    for stop in set(plain):
        options = {"sampling": GREEDY, "stop_tokens": [stop]}
        expected = list(generate(model, params, PROMPT, 60, **options))
        assert write(model, params, DraftModel(model, params), **options)[0] == expected
    tokenizer = CharacterTokenizer("abcdefgh")
    speculation = Speculation(DraftModel(model, params), 3)
    options = {"sampling": GREEDY, "stop": ("dc", "h"), "past_the_end": True}
    expected = "".join(generate_text(model, params, tokenizer, "abcab", 40, **options))
    assert "".join(generate_text(model, params, tokenizer, "abcab", 40, speculation=speculation, **options)) == expected
    ids, _ = write(model, params, DraftModel(*small_model(seed=5, vocabulary_size=9)), vocabulary_size=4,
                   rng=np.random.default_rng(0))  # fmt: skip
    assert set(ids) <= set(range(4)) and len(set(ids)) > 2


def test_weights_in_few_bits_draft_and_judge(tmp_path):
    model, params = small_model(
        seed=8, dtype=np.float32, width=32, feed_forward_width=64, vocabulary_size=32, context=64
    )
    opened = OpenedModel(model, params, CharacterTokenizer("abcdefg"), "mine")
    compress_model(opened, tmp_path / "small", Compression(bits=8, group=32))
    few = open_model(tmp_path / "small")
    plain = list(generate(few.model, few.params, PROMPT, 40, sampling=GREEDY))
    for draft in (early_exit(few.model, few.params, 1), PromptLookup(shortest=1), DraftModel(few.model, few.params)):
        written, speculation = write(few.model, few.params, draft, 40, sampling=GREEDY)
        assert written == plain and speculation.proposed > 0


def test_counts_say_what_happened():
    model, params = small_model(context=200)
    ids, speculation = write(model, params, PromptLookup(shortest=1), 100, sampling=GREEDY)
    counts = speculation.counts()
    assert counts["tokens"] == len(ids) == 100 and counts["calls"] == len(speculation.rounds)
    assert 0 <= counts["accepted"] <= counts["proposed"] and counts["off_after"] is None
    assert f"100 tokens in {speculation.calls} calls" in str(speculation)
    assert counts["accepted"] < speculation.judged < counts["proposed"]
    judged = f"{speculation.judged} judged, {speculation.accepted} of these accepted"
    assert f"{judged}, a share of {speculation.acceptance:.2f}" in str(speculation)
    _, silent = write(model, params, PromptLookup(20, 20), 3, sampling=GREEDY)
    assert silent.acceptance is None and "nothing was guessed" in str(silent)


def test_refusals():
    model, params = small_model()
    other = small_model(seed=1, vocabulary_size=11)
    with pytest.raises(UserError, match="the draft has 11 ids, but the model writes 23"):
        write(model, params, DraftModel(*other))
    with pytest.raises(UserError, match="one text at a time, not 2"):
        generate(model, params, np.array([[1, 2], [3, 4]]), 3, speculation=Speculation(PromptLookup()))
    with pytest.raises(UserError, match="after 2 of 2 blocks is no shorter way"):
        early_exit(model, params, 2)
    with pytest.raises(UserError, match="cannot guess 0 tokens"):
        Speculation(PromptLookup(), 0)
    with pytest.raises(UserError, match="needs a random generator"):
        write(model, params, early_exit(model, params, 1))
    both = small_model(architecture="encoder-decoder")
    with pytest.raises(UserError, match="drafts are for models that continue a text"):
        DraftModel(*both)
    with pytest.raises(UserError, match="an encoder cannot write"):
        DraftModel(*small_model(architecture="encoder"))
    with pytest.raises(UserError, match="drafts are for models that continue a text"):
        generate(*both, PROMPT, 3, source=PROMPT, speculation=Speculation(PromptLookup()))


def test_another_tokenizer_is_refused():
    texts = ["the cat sat on the mat", "a dog ran to the hut"]
    ours, same, other = (BytePairTokenizer.train([text], 262) for text in (texts[0], texts[0], texts[1]))
    check_same_tokenizer(ours, same)
    for wrong in (other, CharacterTokenizer("abc"), None):
        with pytest.raises(UserError, match="another tokenizer"):
            check_same_tokenizer(ours, wrong)
