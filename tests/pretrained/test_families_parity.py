"""Every class of every family equals transformers, output for output and gradient for gradient, on drawn models."""

import importlib
from typing import NamedTuple

import numpy as np
import pytest
from conftest import optional
from drawn_config import LENGTH, drawn_config

from minigpt import Batch, TransformerConfig
from minigpt.infer.window import Window
from minigpt.objectives import loss_and_gradient
from minigpt.ops import IGNORED, activation
from minigpt.pretrained import load_pretrained
from minigpt.pretrained.families import FAMILIES, write_params
from minigpt.pretrained.families.family import OURS
from minigpt.pretrained.load import todays_name

B, S = 3, LENGTH
TOLERANCE = 1e-9
DRAWS = 2
PRESENT = np.arange(S) < np.array([[9], [6], [7]])
SPANS = np.array([[0, 3], [2, 2], [4, 5]])
END = 3  # of a text, for those that look for it
CASES = [(family, cls, draw) for family in FAMILIES for cls in FAMILIES[family].classes for draw in range(DRAWS)]


@pytest.fixture(scope="module")
def torch():
    torch = optional("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    yield torch
    torch.set_default_dtype(before)


@pytest.mark.parametrize("theirs", OURS)
def test_an_activation_of_a_published_name_is_theirs(torch, theirs):
    their_activation = optional("transformers.activations").ACT2FN[theirs]
    x = np.linspace(-6, 6, 501)
    y, _ = activation(OURS[theirs]).forward(x)
    np.testing.assert_allclose(y, their_activation(torch.tensor(x)).numpy(), rtol=0, atol=1e-12)


def double_precision(torch, module, monkeypatch):
    """transformers computes RMS norms and angles in float32 whatever the model's dtype; here in its own."""

    def norm(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))

    def angles(self, _x, position_ids):
        width = 2 * self.inv_freq.shape[0]
        frequencies = self.config.rope_parameters["rope_theta"] ** (-torch.arange(0, width, 2).double() / width)
        angle = position_ids[..., None].double() * frequencies
        return torch.cat([angle, angle], -1).cos(), torch.cat([angle, angle], -1).sin()

    for name in dir(module):
        if name.endswith(("RMSNorm", "RotaryEmbedding")):
            monkeypatch.setattr(getattr(module, name), "forward", norm if name.endswith("RMSNorm") else angles)


class Case(NamedTuple):
    cls: str
    theirs: object
    config: object  # ours
    rng: np.random.Generator


def as_in_files(family, arrays):
    """What they have in memory, under the names that they give it in a file."""
    return {todays_name(name, FAMILIES[family]): array for name, array in arrays.items()}


def links_of(family, cls, config):
    found = FAMILIES[family].classes[cls]
    base = "" if config.head == "none" else found.base or FAMILIES[family].base
    return FAMILIES[family].all_links(config, found, base)


def their_model(torch, family, cls, draw):
    """A model with random arrays; those that are one array by our reckoning are equal."""
    transformers = optional("transformers")
    rng = np.random.default_rng([draw, *map(ord, cls)])
    torch.manual_seed(draw)
    found = FAMILIES[family].classes[cls]
    labels = 2 if found.fields["head"] == "span" else found.fields.get("labels", int(rng.integers(2, 6)))
    sizes = {"eos_token_id": END, "forced_eos_token_id": END, "num_labels": labels, "pad_token_id": 0}
    drawn = {**drawn_config(FAMILIES[family], rng), "tie_word_embeddings": bool(draw)}
    config = getattr(transformers, cls).config_class(**{**sizes, **drawn})
    config._attn_implementation = "sdpa"
    model = getattr(transformers, cls)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3 + (parameter.ndim == 1))
        for name, buffer in model.named_buffers():
            if name == "final_logits_bias" and draw:
                buffer.copy_(torch.randn_like(buffer))
        arrays = as_in_files(family, dict(model.named_parameters()))
        for link in links_of(family, cls, TransformerConfig(**FAMILIES[family].read_config(drawn, found))):
            for name in {link.theirs, *link.also} & arrays.keys():
                arrays[name].copy_(arrays[link.theirs if link.theirs in arrays else name])
    return model, rng


def question(case):
    """A batch for us, and the same as keyword arguments for them."""
    config, rng = case.config, case.rng
    if config.input == "images":
        images = rng.standard_normal((B, *config.image))
        return Batch(images), {"pixel_values": images}
    padding = case.theirs.config.pad_token_id
    batch = Batch(rng.integers(END + 1, config.vocabulary_size, (B, S)), present=PRESENT)
    if config.head == "sequence" or config.architecture == "encoder-decoder":
        batch = batch._replace(tokens=np.where(PRESENT, batch.tokens, padding))
        batch.tokens[np.arange(B), PRESENT.sum(axis=1) - 1] = END
    if config.encoder is not None and config.encoder.input == "frames":
        frames = rng.standard_normal((B, 2 * config.encoder.context, config.encoder.input_width))
        inputs = {"input_features": frames.swapaxes(1, 2), "decoder_input_ids": batch.tokens}
        return batch._replace(source=frames, present=None), inputs
    inputs = {"input_ids": batch.tokens, "attention_mask": PRESENT.astype(int)}
    if config.segments:
        batch = batch._replace(segments=rng.integers(0, config.segments, (B, S)))
        inputs["token_type_ids"] = batch.segments
    if config.architecture == "encoder-decoder":
        batch = batch._replace(source=batch.tokens, source_present=PRESENT)
        start = case.theirs.config.decoder_start_token_id
        seen = np.concatenate([np.full((B, 1), start), batch.tokens[:, :-1]], axis=1)
        if config.head in ("language", "none"):
            seen = rng.integers(END + 1, config.vocabulary_size, (B, S - 2))
            inputs["decoder_input_ids"] = seen
        batch = batch._replace(tokens=seen, present=PRESENT if config.head == "sequence" else None)
    return batch, inputs


def answers(case, batch):
    config, rng = case.config, case.rng
    if config.head == "none":
        return batch
    if config.head == "span":
        return batch._replace(labels=SPANS)
    if config.head == "sequence":
        return batch._replace(labels=rng.integers(0, config.labels, B))
    targets = rng.integers(0, 2, batch.tokens.shape)
    targets[:, 1] = IGNORED
    batch = batch._replace(targets=targets)
    return batch._replace(labels=rng.integers(0, 2, B)) if config.head == "pretraining" else batch


def outputs(torch, head, out):
    if head == "span":
        return (torch.stack([out.start_logits, out.end_logits], -1),)
    if head == "none":
        return (out.last_hidden_state,)
    return (out.prediction_logits, out.seq_relationship_logits) if head == "pretraining" else (out.logits,)


def their_loss(torch, head, theirs, batch):
    """In float64 throughout: transformers' own losses turn some logits into float32."""
    cross_entropy = torch.nn.functional.cross_entropy
    if head == "span":
        return cross_entropy(theirs[0], torch.tensor(batch.labels))  # over the tokens
    wanted = [array for array in (batch.targets, batch.labels) if array is not None]
    return sum(
        cross_entropy(logits.reshape(-1, logits.shape[-1]), torch.tensor(target).reshape(-1), ignore_index=IGNORED)
        for logits, target in zip(theirs, wanted, strict=True)
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("family", "cls", "draw"), CASES)
def test_equals_transformers(torch, monkeypatch, tmp_path, family, cls, draw):
    theirs, rng = their_model(torch, family, cls, draw)
    double_precision(torch, importlib.import_module(type(theirs).__module__), monkeypatch)
    theirs.save_pretrained(tmp_path)
    model, params, _ = load_pretrained(tmp_path, dtype=np.float64)
    case = Case(cls, theirs, model.config, rng)
    batch, inputs = question(case)
    batch = answers(case, batch)

    head = model.config.head
    out = outputs(torch, head, theirs(**{name: torch.tensor(array) for name, array in inputs.items()}))
    ours, cache = model.forward(params, batch)
    seen = PRESENT if head == "none" and batch.present is not None else ...
    for a, b in zip(ours if isinstance(ours, tuple) else (ours,), out, strict=True):
        np.testing.assert_allclose(a[seen], b.detach().numpy()[seen], rtol=0, atol=TOLERANCE)

    if head == "none":
        dout = rng.standard_normal(ours.shape)
        dout[~PRESENT if batch.present is not None else np.zeros(0, int)] = 0
        grads = model.backward(params, cache, dout)
        out[0].backward(torch.tensor(dout))
    else:
        value, grads = loss_and_gradient(model, params, batch)
        reference = their_loss(torch, head, out, batch)
        reference.backward()
        assert value == pytest.approx(float(reference), abs=TOLERANCE)
    links = links_of(family, cls, model.config)
    by_name, theirs_by_name = (
        write_params(grads, links, also=True),
        as_in_files(family, dict(theirs.named_parameters())),
    )
    for link in links:
        parameters = [theirs_by_name[name] for name in (link.theirs, *link.also) if name in theirs_by_name]
        gradients = [parameter.grad.numpy() for parameter in parameters if parameter.grad is not None]
        if gradients:
            np.testing.assert_allclose(
                by_name[link.theirs], sum(gradients), rtol=0, atol=TOLERANCE, err_msg=link.theirs
            )
    assert not [n for n, p in theirs_by_name.items() if p.grad is not None and n not in by_name], "all are compared"
    assert set(by_name) <= set(as_in_files(family, theirs.state_dict())), "every array of ours is one of theirs"


@pytest.mark.filterwarnings("ignore")
def test_a_cached_mistral_writes_on_across_its_window(torch, monkeypatch, tmp_path):
    """Token by token, with the cache and without, and as transformers without one; also beyond the context."""
    theirs, rng = their_model(torch, "mistral", "MistralForCausalLM", 0)
    double_precision(torch, importlib.import_module(type(theirs).__module__), monkeypatch)
    theirs.save_pretrained(tmp_path)
    model, params, _ = load_pretrained(tmp_path, dtype=np.float64)
    assert model.config.window < LENGTH and model.config.endless
    tokens = rng.integers(END + 1, model.config.vocabulary_size, (2, model.config.context + 7))
    reference = theirs(input_ids=torch.tensor(tokens)).logits.detach().numpy()
    cached, plain = (Window(model, params, tokens[:, :2], cached=cached) for cached in (True, False))
    for position in range(1, tokens.shape[1]):
        found, without = cached.logits(), plain.logits()
        np.testing.assert_allclose(found, without, rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(found, reference[:, position], rtol=0, atol=TOLERANCE)
        if position + 1 < tokens.shape[1]:
            cached.append(tokens[:, position + 1])
            plain.append(tokens[:, position + 1])
    assert cached.past.dropped > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_configuration_leaves_out_is_what_transformers_takes_it_for(family):
    transformers = optional("transformers")
    for cls in FAMILIES[family].classes:
        theirs = getattr(transformers, cls).config_class()
        for setting in FAMILIES[family].settings:
            if setting.default is not None and hasattr(theirs, setting.theirs):
                assert setting.default == getattr(theirs, setting.theirs), (cls, setting.theirs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("masked", [True, False])
def test_padding_takes_no_position_wherever_it_stands(torch, monkeypatch, tmp_path, masked):
    theirs, rng = their_model(torch, "roberta", "RobertaForMaskedLM", 0)
    double_precision(torch, importlib.import_module(type(theirs).__module__), monkeypatch)
    padding = theirs.config.pad_token_id
    with torch.no_grad():
        theirs.roberta.embeddings.position_embeddings.weight[padding] = 0  # as published; nobody keeps that row
    theirs.save_pretrained(tmp_path)
    model, params, _ = load_pretrained(tmp_path, dtype=np.float64)
    present = np.arange(S) >= np.array([[0], [3], [S - 2]])
    present[0, 4] = False  # in the middle
    tokens = np.where(present, rng.integers(END + 1, model.config.vocabulary_size, (3, S)), padding)
    inputs = {"input_ids": torch.tensor(tokens)}
    if masked:
        inputs["attention_mask"] = torch.tensor(present.astype(int))
    out = theirs(**inputs).logits
    targets = np.where(present, tokens[:, ::-1], IGNORED)
    batch = Batch(tokens, targets, present=present if masked else None)
    ours, _ = model.forward(params, batch)
    np.testing.assert_allclose(ours[present], out.detach().numpy()[present], rtol=0, atol=TOLERANCE)

    _, grads = loss_and_gradient(model, params, batch)
    their_loss(torch, "masked", (out,), batch).backward()
    table = theirs.roberta.embeddings.position_embeddings.weight.grad.numpy()[padding + 1 :]
    np.testing.assert_allclose(grads["position_embedding.weight"], table, rtol=0, atol=TOLERANCE)
