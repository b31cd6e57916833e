"""Greedy text and beam search against transformers' GPT-2 with the same random parameters."""

import numpy as np
import pytest
from conftest import optional

from minigpt import Params, Transformer, TransformerConfig
from minigpt.infer import GREEDY, beam_search, generate

SIZES = {"vocabulary_size": 61, "context": 64, "width": 32, "layers": 3, "heads": 4}


@pytest.fixture(scope="module")
def both():
    """The rival in float64, with random gains and biases too, and the same parameters in ours."""
    torch, transformers = optional("torch"), optional("transformers")
    torch.manual_seed(0)
    settings = {"vocab_size": 61, "n_positions": 64, "n_embd": 32, "n_layer": 3, "n_head": 4}
    ends = {"bos_token_id": None, "eos_token_id": None}
    rival = transformers.GPT2LMHeadModel(transformers.GPT2Config(**settings, **ends)).double().eval()
    with torch.no_grad():
        for parameter in rival.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    model = Transformer(TransformerConfig(**SIZES))
    return torch, rival, model, from_gpt2(model, {name: value.numpy() for name, value in rival.state_dict().items()})


def from_gpt2(model, state) -> Params:
    """Parameters from GPT-2's names: it keeps query, key and value side by side in one matrix."""
    params = model.init(np.random.default_rng(0), dtype=np.float64)
    params["token_embedding.weight"] = state["transformer.wte.weight"]
    params["position_embedding.weight"] = state["transformer.wpe.weight"]
    names = {
        "attention_norm": "ln_1",
        "attention.output": "attn.c_proj",
        "feed_forward_norm": "ln_2",
        "feed_forward.up": "mlp.c_fc",
        "feed_forward.down": "mlp.c_proj",
    }
    for layer in range(model.config.layers):
        ours, theirs = f"blocks.{layer}", f"transformer.h.{layer}"
        for name, old in names.items():
            params[f"{ours}.{name}.{'gain' if 'norm' in name else 'weight'}"] = state[f"{theirs}.{old}.weight"]
            params[f"{ours}.{name}.bias"] = state[f"{theirs}.{old}.bias"]
        for kind in ("weight", "bias"):
            parts = np.split(state[f"{theirs}.attn.c_attn.{kind}"], 3, axis=-1)
            for name, part in zip(("query", "key", "value"), parts, strict=True):
                params[f"{ours}.attention.{name}.{kind}"] = part
    params["final_norm.gain"] = state["transformer.ln_f.weight"]
    params["final_norm.bias"] = state["transformer.ln_f.bias"]
    return params


def written_by_rival(torch, rival, prompts, count, **options):
    tokens = torch.tensor(prompts)
    mask = torch.ones_like(tokens)
    out = rival.generate(tokens, attention_mask=mask, max_new_tokens=count, do_sample=False, pad_token_id=0, **options)
    return out[:, prompts.shape[1] :].numpy()


def test_greedy_text_equals_transformers(both):
    torch, rival, model, params = both
    prompts = np.random.default_rng(0).integers(0, 61, (3, 7))
    expected = written_by_rival(torch, rival, prompts, 57)
    ours = np.stack(list(generate(model, params, prompts, 57, sampling=GREEDY)), axis=1)
    assert ours.tolist() == expected.tolist()
    assert len(np.unique(expected)) > 5
    assert list(generate(model, params, prompts[1], 57, sampling=GREEDY)) == expected[1].tolist()


def test_beams_equal_transformers(both):
    torch, rival, model, params = both
    prompts = np.random.default_rng(1).integers(0, 61, (4, 7))
    expected = written_by_rival(torch, rival, prompts, 12, num_beams=5)
    greedy = written_by_rival(torch, rival, prompts, 12)
    ours = [beam_search(model, params, prompt, 12, beams=5)[0].tokens for prompt in prompts]
    assert ours == expected.tolist()
    assert not np.array_equal(expected, greedy)
