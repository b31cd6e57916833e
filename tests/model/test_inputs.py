"""Images, patches and sound frames: the same numbers and gradients as PyTorch's, odd sizes, and what is refused."""

import numpy as np
import pytest
from conftest import optional

from minigpt import Batch, Call, Params, Transformer, TransformerConfig, UserError
from minigpt.check import CONFIGS
from minigpt.infer import GREEDY, generate
from minigpt.objectives import causal_lm, loss_and_gradient, scored
from minigpt.train.gradient import split_rows

SIZES = {"vocabulary_size": 11, "context": 5, "width": 12, "layers": 1, "heads": 3, "architecture": "encoder"}
PATCHES = {"input": "patches", "input_width": 6, "tied": False, "head": "none"}
IMAGES = {"input": "images", "image": (1, 4, 4), "patch": (2, 2), "context": 4, "tied": False, "head": "none"}
FRAMES = {"input": "frames", "input_width": 4, "tied": False, "head": "none"}
RNG = np.random.default_rng(4)


def start(*, dtype=np.float64, seed=0, **choices):
    """A model with parameters far from their first values."""
    model = Transformer(TransformerConfig(**{**SIZES, **choices}))
    params = model.init(np.random.default_rng(seed), dtype=np.float64)
    params.flat += 0.4 * np.random.default_rng(seed + 1).standard_normal(params.flat.size)
    return model, params.astype(dtype)


def beginning(model, params, inputs):
    """What the inputs become before positions are added, the gradients for a random upstream one, and that one."""
    seen = {}

    def hook(name, x):
        seen[name] = x
        return x

    y, cache = model.forward(params, inputs, Call(hook=hook))
    dy = np.random.default_rng(9).standard_normal(y.shape)
    grads = model.backward(params, cache, dy, Call(hook=hook))
    return seen["embedding"], grads, seen["dembedding"]


def agree(grads, leaves):
    for name, leaf in leaves.items():
        np.testing.assert_allclose(grads[name], leaf.grad.numpy(), rtol=1e-10, atol=1e-10, err_msg=name)


def leaves_of(torch, params, *names):
    return {name: torch.tensor(params[name], requires_grad=True) for name in names}


def test_patches_are_a_convolution_whose_stride_is_its_kernel():
    torch = optional("torch")
    images = RNG.standard_normal((2, 3, 8, 6))  # (B, channels, height, width), in patches of 4 x 2: 2 x 3 of them
    cut = images.reshape(2, 3, 2, 4, 3, 2).transpose(0, 2, 4, 1, 3, 5).reshape(2, 6, 24)
    choices = {**PATCHES, "input_width": 24, "context": 7, "position": "none", "class_token": True}
    model, params = start(**choices)
    x, grads, dx = beginning(model, params, cut)

    leaves = leaves_of(torch, params, "patch_embedding.weight", "patch_embedding.bias", "class_token")
    kernel = leaves["patch_embedding.weight"].T.reshape(12, 3, 4, 2)
    theirs = torch.nn.functional.conv2d(torch.tensor(images), kernel, leaves["patch_embedding.bias"], stride=(4, 2))
    theirs = torch.cat([leaves["class_token"].expand(2, 1, 12), theirs.flatten(2).swapaxes(1, 2)], dim=1)
    np.testing.assert_allclose(x, theirs.detach().numpy(), rtol=1e-10, atol=1e-10)
    theirs.backward(torch.tensor(dx))
    agree(grads, leaves)


@pytest.mark.parametrize("class_token", [True, False])
def test_images_are_what_their_patches_are(class_token):
    """The kernel is the patches' matrix; the pixels at the right and lower edge are in no patch."""
    sizes = {"image": (3, 9, 7), "patch": (4, 2), "context": 6 + class_token, "class_token": class_token}
    model, params = start(**{**PATCHES, "input": "images", "input_width": None, **sizes})
    of_patches = {**PATCHES, "input_width": 24, "context": 6 + class_token, "class_token": class_token}
    other, _ = start(**of_patches)
    images = RNG.standard_normal((2, 3, 9, 7))
    cut = images[:, :, :8, :6].reshape(2, 3, 2, 4, 3, 2).transpose(0, 2, 4, 1, 3, 5).reshape(2, 6, 24)
    same = Params(other.arrays(), dtype=np.float64)
    for name in same:
        array = params[name]
        same[name] = array.reshape(12, 24).T if name == "patch_embedding.weight" else array
    ours, grads, _ = beginning(model, params, images)
    theirs, cut_grads, _ = beginning(other, same, cut)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    for name in same:
        gradient = grads[name].reshape(12, 24).T if name == "patch_embedding.weight" else grads[name]
        np.testing.assert_allclose(gradient, cut_grads[name], rtol=0, atol=1e-11, err_msg=name)


def test_what_is_frozen_of_a_beginning_stays_out_of_the_gradients():
    sizes = {"image": (2, 6, 6), "patch": (3, 2), "context": 7, "class_token": True, "input": "images"}
    model, params = start(**{**PATCHES, "input_width": None, **sizes})
    images = RNG.standard_normal((2, 2, 6, 6))
    y, cache = model.forward(params, images)
    dy = RNG.standard_normal(y.shape)
    whole = model.backward(params, cache, dy)
    for learns in (["patch_embedding.bias"], ["class_token", "patch_embedding.weight"], ["final_norm.gain"]):
        grads = model.backward(params, cache, dy, grads=params.only(learns))
        assert list(grads) == learns
        assert all(np.array_equal(grads[name], whole[name]) for name in learns)


@pytest.mark.parametrize("class_token", [True, False])
def test_positions_on_a_grid_say_row_and_column_apart(class_token):
    """Halves of the sine table, written out here; a class token has none."""
    sizes = {"image": (1, 6, 6), "patch": (2, 3), "context": 6 + class_token, "class_token": class_token}
    choices = {**PATCHES, "input": "images", "input_width": None, **sizes}
    images = RNG.standard_normal((1, 1, 6, 6))
    with_grid, params = start(**{**choices, "position": "sinusoidal_2d"})
    x = beginning(with_grid, params, images)[0]
    plain = beginning(start(**{**choices, "position": "none"})[0], params, images)[0]
    table = (x - plain)[0, class_token:].reshape(3, 2, 12)  # 3 rows of 2 patches
    for row in range(3):
        for column in range(2):
            for half, place in ((0, row), (6, column)):
                for i in range(3):
                    angle = place / 10000 ** (2 * i / 6)
                    pair = table[row, column, half + 2 * i : half + 2 * i + 2]
                    np.testing.assert_allclose(pair, [np.sin(angle), np.cos(angle)], rtol=0, atol=1e-12)
    assert not class_token or np.array_equal(x[:, 0], plain[:, 0])


@pytest.mark.parametrize("frames", [1, 2, 7, 8])
def test_frames_are_two_convolutions_of_which_the_second_halves_them(frames):
    torch = optional("torch")
    sound = RNG.standard_normal((2, frames, 4))
    model, params = start(**FRAMES, position="none")
    x, grads, dx = beginning(model, params, sound)
    assert x.shape == (2, (frames + 1) // 2, 12)

    names = [f"convolution_{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")]
    leaves = leaves_of(torch, params, *names)
    theirs = torch.tensor(sound).swapaxes(1, 2)
    for i, stride in ((1, 1), (2, 2)):
        weight, bias = leaves[f"convolution_{i}.weight"], leaves[f"convolution_{i}.bias"]
        theirs = torch.nn.functional.gelu(torch.nn.functional.conv1d(theirs, weight, bias, stride=stride, padding=1))
    theirs = theirs.swapaxes(1, 2)
    np.testing.assert_allclose(x, theirs.detach().numpy(), rtol=1e-10, atol=1e-10)
    theirs.backward(torch.tensor(dx))
    agree(grads, leaves)


def torch_blocks(torch, p, config, x, prefix="", *, mask=None, memory=None):
    """A stack in PyTorch's own words: pre-norm layer norms, exact GELU, no dropout."""
    functional = torch.nn.functional

    def linear(name, x):
        return functional.linear(x, p[f"{name}.weight"].T, p.get(f"{name}.bias"))

    def norm(name, x):
        return functional.layer_norm(x, (config.width,), p[f"{name}.gain"], p.get(f"{name}.bias"), config.norm_epsilon)

    def attention(name, x, source, mask):
        query, key, value = (
            linear(f"{name}.{part}", of).unflatten(-1, (-1, config.head_width)).swapaxes(1, 2)
            for part, of in (("query", x), ("key", source), ("value", source))
        )
        y = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return linear(f"{name}.output", y.swapaxes(1, 2).flatten(2))

    for layer in range(config.layers):
        name = f"{prefix}blocks.{layer}"
        normed = norm(f"{name}.attention_norm", x)
        x = x + attention(f"{name}.attention", normed, normed, mask)
        if memory is not None:
            normed = norm(f"{name}.cross_attention_norm", x)
            x = x + attention(f"{name}.cross_attention", normed, memory, None)
        up = functional.gelu(linear(f"{name}.feed_forward.up", norm(f"{name}.feed_forward_norm", x)))
        x = x + linear(f"{name}.feed_forward.down", up)
    return norm(f"{prefix}final_norm", x)


def test_a_vision_transformer_equals_one_in_pytorch():
    torch = optional("torch")
    head = {"head": "sequence", "labels": 4, "pooler": False, "activation": "gelu", "layers": 2, "class_token": True}
    model, params = start(**{**PATCHES, **head, "feed_forward_width": 7})
    patches = RNG.standard_normal((3, 4, 6))
    y, cache = model.forward(params, patches)
    dy = RNG.standard_normal(y.shape)
    grads = model.backward(params, cache, dy)

    p = leaves_of(torch, params, *params)
    x = torch.tensor(patches) @ p["patch_embedding.weight"] + p["patch_embedding.bias"]
    x = torch.cat([p["class_token"].expand(3, 1, 12), x], dim=1) + p["position_embedding.weight"]
    x = torch_blocks(torch, p, model.config, x)
    theirs = x[:, 0] @ p["classifier.weight"] + p["classifier.bias"]
    np.testing.assert_allclose(y, theirs.detach().numpy(), rtol=1e-10, atol=1e-10)
    theirs.backward(torch.tensor(dy))
    agree(grads, p)


def test_a_nested_encoder_that_differs_everywhere_equals_one_in_pytorch():
    """A listener with a context, layers, heads, widths, biases, epsilon of its own; a writer that looks at it."""
    torch = optional("torch")
    encoder = {"input": "frames", "input_width": 4, "context": 9, "layers": 3, "heads": 2, "feed_forward_width": 10}
    encoder |= {"norm_epsilon": 0.3, "attention_bias": False, "feed_forward_bias": False}
    choices = {"architecture": "encoder-decoder", "encoder": encoder, "activation": "gelu", "layers": 2}
    model, params = start(**choices)
    assert "encoder.blocks.0.attention.key.bias" not in params
    assert "blocks.0.attention.key.bias" in params
    tokens, sound = RNG.integers(0, 11, (2, 5)), RNG.standard_normal((2, 17, 4))
    y, cache = model.forward(params, Batch(tokens, source=sound))
    dy = RNG.standard_normal(y.shape)
    grads = model.backward(params, cache, dy)

    p = leaves_of(torch, params, *params)
    heard = torch.tensor(sound).swapaxes(1, 2)
    for i, stride in ((1, 1), (2, 2)):
        weight, bias = p[f"encoder.convolution_{i}.weight"], p[f"encoder.convolution_{i}.bias"]
        heard = torch.nn.functional.gelu(torch.nn.functional.conv1d(heard, weight, bias, stride=stride, padding=1))
    heard = heard.swapaxes(1, 2) + p["encoder.position_embedding.weight"]
    memory = torch_blocks(torch, p, model.config.encoder, heard, "encoder.")
    x = p["token_embedding.weight"][torch.tensor(tokens)] + p["position_embedding.weight"]
    causal = torch.ones(5, 5, dtype=torch.bool).tril()
    theirs = torch_blocks(torch, p, model.config, x, mask=causal, memory=memory) @ p["token_embedding.weight"].T
    np.testing.assert_allclose(y, theirs.detach().numpy(), rtol=1e-10, atol=1e-10)
    theirs.backward(torch.tensor(dy))
    agree(grads, p)


def test_a_model_of_float32_computes_in_float32_whatever_the_image_is_in():
    model, params = start(**PATCHES, dtype=np.float32)
    patches = RNG.standard_normal((2, 3, 6))
    y, _ = model.forward(params, patches)
    assert y.dtype == np.float32
    assert np.array_equal(y, model.forward(params, patches.astype(np.float32))[0])


def test_one_patch_and_a_full_context_fit():
    model, params = start(**PATCHES, class_token=True)
    assert model.forward(params, RNG.standard_normal((1, 1, 6)))[0].shape == (1, 2, 12)
    assert model.forward(params, RNG.standard_normal((1, 4, 6)))[0].shape == (1, 5, 12)
    model, params = start(**FRAMES)
    assert model.forward(params, RNG.standard_normal((1, 10, 4)))[0].shape == (1, 5, 12)


def test_no_patch_learns_from_padding():
    """What is present counts positions, so the class token's too."""
    model, params = start(**PATCHES, class_token=True)
    patches, present = RNG.standard_normal((2, 4, 6)), np.arange(5) < np.array([[4], [5]])
    y, _ = model.forward(params, Batch(patches, present=present))
    alone, _ = model.forward(params, patches[:1, :3])
    np.testing.assert_allclose(y[:1, :4], alone, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("choices", "inputs", "message"), [
    (PATCHES, RNG.standard_normal((2, 6, 6)), "6 positions do not fit the context of 1 to 5"),
    ({**PATCHES, "class_token": True}, RNG.standard_normal((2, 5, 6)), "6 positions do not fit"),
    (FRAMES, RNG.standard_normal((2, 11, 4)), "6 positions do not fit"),
    (FRAMES, RNG.standard_normal((2, 0, 4)), "no frames"),
    (PATCHES, RNG.standard_normal((2, 0, 6)), "0 positions do not fit"),
    (PATCHES, RNG.standard_normal((2, 3, 5)), r"patches must be .* \(B, any, 6\), not float64 of shape \(2, 3, 5\)"),
    (PATCHES, RNG.standard_normal((3, 6)), r"not float64 of shape \(3, 6\)"),
    (PATCHES, RNG.integers(0, 9, (2, 3, 6)), "floating-point numbers .* not int64"),
    (PATCHES, [[[0.5] * 6]], "not a list"),
    (FRAMES, RNG.integers(0, 9, (2, 5)), "frames must be floating-point numbers .* not int64"),
    ({}, RNG.standard_normal((2, 3)), r"tokens must be an array of whole numbers .* not float64 of shape \(2, 3\)"),
    ({}, RNG.integers(0, 9, 3), r"shape \(B, T\), not int64 of shape \(3,\)"),
])  # fmt: skip
def test_what_a_beginning_cannot_take_is_named(choices, inputs, message):
    model, params = start(**choices)
    with pytest.raises(UserError, match=message):
        model.forward(params, inputs)


@pytest.mark.parametrize(("more", "message"), [
    ({"present": np.ones((2, 3), bool)}, r"booleans of shape \(2, 4\), .* not bool of shape \(2, 3\)"),
    ({"present": np.ones((2, 4))}, "not float64"),
    ({"segments": np.zeros((2, 3), int)}, r"segments have shape \(2, 3\), not \(2, 4\)"),
])  # fmt: skip
def test_what_belongs_to_positions_must_count_them(more, message):
    model, params = start(**PATCHES, class_token=True, segments=2)
    with pytest.raises(UserError, match=message):
        model.forward(params, Batch(RNG.standard_normal((2, 3, 6)), **more))


def test_sources_are_paired_with_rows_and_their_padding_counts_positions():
    model, params = start(**{"architecture": "encoder-decoder", "encoder": {"input": "frames", "input_width": 4}})
    tokens, sound = RNG.integers(0, 11, (2, 3)), RNG.standard_normal((2, 7, 4))
    with pytest.raises(UserError, match="1 sources cannot go with 2 rows"):
        model.forward(params, Batch(tokens, source=sound[:1]))
    with pytest.raises(UserError, match=r"booleans of shape \(2, 4\)"):
        model.forward(params, Batch(tokens, source=sound, source_present=np.ones((2, 7), bool)))
    part = np.arange(4) < np.array([[4], [3]])
    assert model.forward(params, Batch(tokens, source=sound, source_present=part))[0].shape == (2, 3, 11)


def test_images_are_trained_on_like_texts_whole_or_in_parts():
    head = {"head": "sequence", "labels": 3, "class_token": True}
    model, params = start(**{**PATCHES, **head})
    batch = Batch(RNG.standard_normal((5, 4, 6)), labels=RNG.integers(0, 3, 5))
    whole, grads = loss_and_gradient(model, params, batch)
    parts = [loss_and_gradient(model, params, part, counts=scored(batch)) for part in split_rows(batch, 2)]
    assert sum(loss for loss, _ in parts) == pytest.approx(whole, rel=1e-12)
    np.testing.assert_allclose(sum(part.flat for _, part in parts), grads.flat, rtol=0, atol=1e-12)


def test_an_objective_that_makes_tokens_refuses_what_reads_none():
    listener = {"architecture": "encoder-decoder", "encoder": {"input": "frames", "input_width": 4}}
    for choices in ({**PATCHES, "architecture": "decoder", "head": "language"}, listener):
        model, params = start(**choices)
        batch = causal_lm(RNG.integers(0, 11, (2, 4)))
        if choices is listener:
            batch = batch._replace(source=batch.tokens, objective="infilling")
        with pytest.raises(UserError, match=r"is about tokens, but the model reads (patches|frames)"):
            loss_and_gradient(model, params, batch)


@pytest.mark.parametrize(("choices", "message"), [
    ({"input": "patches"}, "input_width is None for patches"),
    ({"input_width": 4}, "input_width is 4 for tokens"),
    ({"class_token": True}, "class_token is for patches"),
    ({"input": "images", "tied": False}, "needs their size and that of patches, but image is None"),
    ({"image": (1, 4, 4)}, "image and patch are sizes of images, but the model reads tokens"),
    ({"position": "sinusoidal_2d", "width": 12}, "places in an image; tokens have none"),
    ({**IMAGES, "image": [1, 4]}, r"image is \[1, 4\], but it must be 3 whole numbers of at least 1, channels"),
    ({**IMAGES, "image": (1, 0, 4)}, r"image is \(1, 0, 4\)"),
    ({**IMAGES, "patch": (5, 2)}, r"patches \(5, 2\) do not fit into an image \(4, 4\)"),
    ({**IMAGES, "context": 5}, "2 x 2 patches are 4 positions, but the context is 5; make it 4"),
    ({**IMAGES, "class_token": True}, "2 x 2 patches and a class token are 5 positions, but the context is 4"),
    ({**IMAGES, "position": "sinusoidal_2d", "width": 18}, "a width that 4 divides, not 18"),
    ({**IMAGES, "tied": True, "head": "masked"}, "a tied head needs a token table, which images have not"),
    ({"input": "frames", "input_width": 4}, "a tied head needs a token table"),
    ({"encoder": {}}, "encoder models have no second encoder"),
    ({"architecture": "encoder-decoder", "encoder": {"width": 6}}, "an encoder of that width"),
    ({"architecture": "encoder-decoder", "encoder": {"architecture": "decoder"}}, "the encoder is decoder"),
    ({"architecture": "encoder-decoder", "encoder": {"colour": 1, 3: 4}}, "no field 'colour'"),
    ({"architecture": "encoder-decoder", "encoder": {"vocabulary_size": 12}}, "12 tokens and the decoder 11"),
    ({"architecture": "encoder-decoder", "encoder": {"head": "masked"}}, "its head is masked; give it none"),
    ({"architecture": "encoder-decoder", "encoder": [1]}, "encoder is \\[1\\], but it must be"),
])  # fmt: skip
def test_beginnings_that_do_not_fit_together_are_named(choices, message):
    with pytest.raises(UserError, match=message):
        TransformerConfig(**{**SIZES, **choices})


def test_a_nested_configuration_survives_json_values_and_the_former_names_are_read():
    for config in CONFIGS.values():
        assert TransformerConfig.from_dict(config.to_dict()) == config
    sizes = {**SIZES, "architecture": "encoder-decoder"}
    former = {"encoder_layers": 3, "encoder_heads": 2, "encoder_hidden": 9}
    former |= {"hidden": 7, "head_size": 4, "balance": 0.5}
    config = TransformerConfig.from_dict({**sizes, **former})
    assert (config.feed_forward_width, config.head_width, config.load_balancing) == (7, 4, 0.5)
    assert (config.encoder.layers, config.encoder.heads, config.encoder.feed_forward_width) == (3, 2, 9)
    assert (config.layers, config.heads) == (1, 3)
    nothing = {"encoder_layers": None, "encoder_heads": None, "encoder_hidden": None, "hidden": 7, "head_size": 4}
    config = TransformerConfig.from_dict({**sizes, **nothing})
    assert (config.encoder.layers, config.encoder.heads, config.encoder.feed_forward_width) == (1, 3, 7)


@pytest.mark.parametrize("tokens", [[[1, 2]], None, np.array([[1.0, 2.0]]), np.array([1, 2])])
def test_tokens_are_an_array_of_whole_numbers(tokens):
    model = Transformer(TransformerConfig(vocabulary_size=5, context=4, width=8, layers=1, heads=2))
    with pytest.raises(UserError, match="tokens must be an array of whole numbers of shape"):
        model.forward(model.init(np.random.default_rng(0)), Batch(tokens))


AHEAD = {
    "architecture": "encoder-decoder",
    "encoder_ahead": True,
    "context": 9,
    "encoder": {**IMAGES, "width": 8, "heads": 2, "layers": 1, "feed_forward_width": 10, "head": "none"},
    "activation": "gelu",
    "layers": 2,
}


WIDE = {**AHEAD["encoder"], "image": (1, 4, 8), "context": 8}  # 2 x 4 patches


@pytest.mark.parametrize("choices", [{}, {"encoder_areas": 2, "encoder": WIDE}])
def test_an_image_ahead_of_a_text_equals_one_in_pytorch(choices):
    """Four patches, or the means of four pairs, then tokens: they see each other, a token sees them and what came
    before it."""
    torch = optional("torch")
    model, params = start(**{**AHEAD, **choices})
    assert not [name for name in params if "cross" in name] and params["projector.weight"].shape == (8, 12)
    tokens, images = RNG.integers(0, 11, (2, 5)), RNG.standard_normal((2, *model.config.encoder.image))
    y, cache = model.forward(params, Batch(tokens, source=images))
    dy = RNG.standard_normal(y.shape)
    grads = model.backward(params, cache, dy)

    p = leaves_of(torch, params, *params)
    kernel, bias = p["encoder.patch_embedding.weight"], p["encoder.patch_embedding.bias"]
    seen = torch.nn.functional.conv2d(torch.tensor(images), kernel, bias, stride=2).flatten(2).swapaxes(1, 2)
    seen = seen + p["encoder.position_embedding.weight"]
    memory = torch_blocks(torch, p, model.config.encoder, seen, "encoder.")
    if choices:  # beside each other are 0 and 1, 2 and 3, of the second row 4 and 5, 6 and 7
        memory = (memory[:, ::2] + memory[:, 1::2]) / 2
    ahead = memory @ p["projector.weight"] + p["projector.bias"]
    x = torch.cat([ahead, p["token_embedding.weight"][torch.tensor(tokens)]], 1) + p["position_embedding.weight"]
    mask = torch.ones(9, 9, dtype=torch.bool).tril()
    mask[:4, :4] = True
    theirs = torch_blocks(torch, p, model.config, x, mask=mask)[:, 4:] @ p["token_embedding.weight"].T
    np.testing.assert_allclose(y, theirs.detach().numpy(), rtol=1e-10, atol=1e-10)
    theirs.backward(torch.tensor(dy))
    agree(grads, p)


def test_what_is_frozen_around_a_projector_changes_no_gradient_of_it():
    model, params = start(**AHEAD)
    batch = Batch(RNG.integers(0, 11, (2, 4)), source=RNG.standard_normal((2, 1, 4, 4)))
    y, cache = model.forward(params, batch)
    dy = RNG.standard_normal(y.shape)
    whole = model.backward(params, cache, dy)
    for learns in (["projector.weight"], [n for n in params if n.startswith(("encoder.", "projector."))]):
        grads = model.backward(params, cache, dy, grads=params.only(learns))
        assert set(grads) == set(learns)
        assert all(np.array_equal(grads[name], whole[name]) for name in learns)


def test_padding_of_the_text_and_of_the_image_changes_nothing_that_is_real():
    model, params = start(**AHEAD)
    tokens, images = RNG.integers(0, 11, (2, 5)), RNG.standard_normal((2, 1, 4, 4))
    y, _ = model.forward(params, Batch(tokens, source=images))
    present = np.arange(5) < np.array([[3], [5]])
    padded, _ = model.forward(params, Batch(tokens, source=images, present=present))
    np.testing.assert_allclose(padded[0, :3], y[0, :3], rtol=0, atol=1e-13)
    np.testing.assert_allclose(padded[1], y[1], rtol=0, atol=1e-13)
    half = np.arange(4) < np.array([[2], [4]])
    blind, _ = model.forward(params, Batch(tokens, source=images, source_present=half))
    assert np.abs(blind[0] - y[0]).max() > 1e-3
    np.testing.assert_allclose(blind[1], y[1], rtol=0, atol=1e-13)


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("position", ["learned", "rotary"])
@pytest.mark.parametrize("choices", [{}, {"encoder_areas": 2, "encoder": WIDE}])
def test_writing_after_an_image_equals_reading_all_at_once(cached, position, choices):
    model, params = start(**{**AHEAD, **choices}, position=position)
    images, prompt = RNG.standard_normal((2, *model.config.encoder.image)), RNG.integers(0, 11, (2, 2))
    written = np.stack(list(generate(model, params, prompt, 3, sampling=GREEDY, source=images, cached=cached)), axis=1)
    y, _ = model.forward(params, Batch(np.concatenate([prompt, written], axis=1), source=images))
    assert np.array_equal(y[:, 1:-1].argmax(-1), written)
    longer = list(generate(model, params, prompt, 12, sampling=GREEDY, source=images, cached=cached))
    assert len(longer) == 12, "beyond the context the text moves on, and the image stays ahead of it"


def test_an_image_of_areas_has_no_padding():
    model, params = start(**AHEAD, encoder_areas=1)
    batch = Batch(RNG.integers(0, 11, (2, 4)), source=RNG.standard_normal((2, 1, 4, 4)))
    assert model.forward(params, batch)[1].memory.shape == (2, 1, 8)
    with pytest.raises(UserError, match="whose areas are averaged has no padding"):
        model.forward(params, batch._replace(source_present=np.ones((2, 4), bool)))


@pytest.mark.parametrize(("choices", "message"), [
    ({"encoder_ahead": True}, "encoder_ahead is for an encoder-decoder, not for encoder"),
    ({**AHEAD, "segments": 2}, "a decoder of tokens without segments"),
    ({**AHEAD, "encoder_ahead": False}, "an encoder of that width"),
    ({**AHEAD, "encoder_areas": 3}, "2 x 2 patches have no 3 equal areas a side"),
    ({"encoder_areas": 2}, "encoder_areas is for an image ahead of a text"),
    ({**AHEAD, "encoder_areas": 2, "encoder": {**WIDE, "class_token": True, "context": 9}}, "without a class token"),
])  # fmt: skip
def test_what_cannot_stand_ahead_is_named(choices, message):
    with pytest.raises(UserError, match=message):
        TransformerConfig(**{**SIZES, **choices})
