"""Where does SmolLM2 keep which city is a country's capital? Activation patching over pairs of prompts.

"The capital of France is the city of" and the same of Italy: the residual stream at one position after one layer is
taken from the second prompt and put into the first. Where the answer then turns from Paris to Rome, there it is held.
Three positions: the country, the last one, and, as control, "capital", which both prompts share up to there. The 54
countries stand in a ring, so each is asked once and gives once; intervals by drawing pairs again.
Run: python examples/capital_cities.py [--quick]    half a minute on one core
"""

import argparse
from typing import NamedTuple

import numpy as np

from minigpt import Batch, Call, OpenedModel, open_model
from minigpt.explain import Place
from minigpt.explain.patching import patching
from minigpt.explain.watch import activations
from minigpt.measure.intervals import bootstrap

PROMPT = "The capital of {} is the city of"
CAPITALS = dict(
    pair.split()
    for pair in """
    France Paris, Italy Rome, Spain Madrid, Germany Berlin, Japan Tokyo, China Beijing, Russia Moscow, Greece Athens,
    Egypt Cairo, Poland Warsaw, Sweden Stockholm, Norway Oslo, Finland Helsinki, Denmark Copenhagen, Portugal Lisbon,
    Austria Vienna, Hungary Budapest, Ireland Dublin, Cuba Havana, Peru Lima, Kenya Nairobi, Iraq Baghdad, Iran Tehran,
    Syria Damascus, Turkey Ankara, Ukraine Kiev, Thailand Bangkok, Vietnam Hanoi, India Delhi, Canada Ottawa,
    Australia Canberra, Belgium Brussels, England London, Scotland Edinburgh, Nepal Kathmandu, Lebanon Beirut,
    Chile Santiago, Serbia Belgrade, Romania Bucharest, Bulgaria Sofia, Israel Jerusalem, Afghanistan Kabul,
    Indonesia Jakarta, Philippines Manila, Taiwan Taipei, Wales Cardiff, Qatar Doha, Croatia Zagreb, Libya Tripoli,
    Jordan Amman, Switzerland Bern, Netherlands Amsterdam, Zimbabwe Harare, Ghana Accra
    """.replace("\n", " ").split(",")
)
PLACES = {"country": 3, "last": 7, "control": 1}


def main() -> None:
    """The share of the answer that is at each place after each layer; the layer at which it moves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="twelve countries, fewer layers")
    quick = parser.parse_args().quick
    opened = open_model("smollm2")
    countries = list(CAPITALS)[: 12 if quick else None]
    layers = list(range(0, opened.model.config.layers, 5 if quick else 3))
    found, known = localized(opened, countries, layers)
    count = len(countries)
    print(f"{count} countries; the model says {known} of their capitals rather than any other of these")
    print("share of the way from the one answer to the other, with 95% intervals")
    print(f"{'after layer':>12}" + "".join(f"{place:>24}" for place in PLACES))
    for row, layer in enumerate(layers):
        cells = [bootstrap(lambda pairs: found[place].share(pairs)[row], count) for place in PLACES]  # noqa: B023
        print(f"{layer:12}" + "".join(f"{one.value:10.2f} ({one.low:5.2f} to {one.high:5.2f})" for one in cells))
    moved = bootstrap(lambda pairs: crossing(found["last"].share(pairs), layers), count)
    print(f"the last position has more than half after layer {moved.value:.0f} ({moved.low:.0f} to {moved.high:.0f})")


class Effect(NamedTuple):
    """What patching one position does, and what all of the other prompt would do, in nats."""

    change: np.ndarray  # (N, layers)
    whole: np.ndarray  # (N,)

    def share(self, pairs: np.ndarray) -> np.ndarray:
        """(layers,) of these pairs together, so that one whose answers hardly differ does not count for much."""
        return self.change[pairs].sum(axis=0) / self.whole[pairs].sum()


def localized(opened: OpenedModel, countries: list[str], layers: list[int]) -> tuple[dict[str, Effect], int]:
    """What each place brings after each of these layers; how many capitals the model knows."""
    model, params, encode = opened.model, opened.params, opened.tokenizer.encode
    tokens = np.stack([encode(PROMPT.format(country)) for country in countries])  # (N, T), all of one length
    capitals = np.array([encode(f" {CAPITALS[country]}")[0] for country in countries])
    pairs, others = np.arange(len(countries)), np.roll(np.arange(len(countries)), -1)

    def scores(call: Call) -> np.ndarray:
        """(N, N) how likely, before the softmax, each prompt makes each of the capitals."""
        x, _ = model.hidden_states(params, Batch(tokens), call.forward_only())
        return model.logits(params, x[:, -1])[0][:, capitals]

    wanted = {f"blocks.{layer}.residual_post" for layer in layers}
    donor = {name: x[others] for name, x in activations(model, params, tokens, wanted.__contains__).items()}
    own = scores(Call())
    turned, whole = own[pairs, others] - own[pairs, pairs], own[others, others] - own[others, pairs]
    found = {}
    for place, position in PLACES.items():
        changes = []
        for layer in layers:
            there = Place(f"blocks.{layer}.residual_post", positions=(position,))
            patched = scores(Call(hook=patching([there], donor)))
            changes.append(patched[pairs, others] - patched[pairs, pairs] - turned)
        found[place] = Effect(np.stack(changes, axis=1), whole - turned)
    return found, int((own.argmax(axis=1) == pairs).sum())


def crossing(shares: np.ndarray, layers: list[int]) -> float:
    """The first layer after which the share is above a half; NaN if there is none."""
    above = np.flatnonzero(shares > 0.5)
    return float(layers[above[0]]) if above.size else np.nan


if __name__ == "__main__":
    main()
