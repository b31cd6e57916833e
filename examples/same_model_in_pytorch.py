"""The same weights in minigpt and in PyTorch: equal logits, equal loss, equal gradients.

Needs PyTorch and transformers: pip install '.[parity]'
Run: python examples/same_model_in_pytorch.py
"""

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from minigpt import Transformer, objectives, preset

# One small GPT-2, twice.
config = preset("tiny-gpt2", vocabulary_size=101)
model = Transformer(config)
params = model.init(np.random.default_rng(0), dtype=np.float64)
theirs = GPT2LMHeadModel(
    GPT2Config(
        vocab_size=config.vocabulary_size,
        n_positions=config.context,
        n_embd=config.width,
        n_layer=config.layers,
        n_head=config.heads,
        resid_pdrop=0,
        embd_pdrop=0,
        attn_pdrop=0,
        bos_token_id=None,
        eos_token_id=None,
    )
).double()

# Their names for our arrays. GPT-2 keeps query, key and value side by side in one matrix.
NAMES = {
    "attention_norm.gain": "ln_1.weight",
    "attention_norm.bias": "ln_1.bias",
    "attention.output.weight": "attn.c_proj.weight",
    "attention.output.bias": "attn.c_proj.bias",
    "feed_forward_norm.gain": "ln_2.weight",
    "feed_forward_norm.bias": "ln_2.bias",
    "feed_forward.up.weight": "mlp.c_fc.weight",
    "feed_forward.up.bias": "mlp.c_fc.bias",
    "feed_forward.down.weight": "mlp.c_proj.weight",
    "feed_forward.down.bias": "mlp.c_proj.bias",
}


def in_their_names(arrays):
    """Our arrays (parameters or gradients) as (their name, array)."""
    yield "transformer.wte.weight", arrays["token_embedding.weight"]
    yield "transformer.wpe.weight", arrays["position_embedding.weight"]
    yield "transformer.ln_f.weight", arrays["final_norm.gain"]
    yield "transformer.ln_f.bias", arrays["final_norm.bias"]
    for layer in range(config.layers):
        ours, them = f"blocks.{layer}", f"transformer.h.{layer}"
        for name, their_name in NAMES.items():
            yield f"{them}.{their_name}", arrays[f"{ours}.{name}"]
        for kind in ("weight", "bias"):
            parts = [arrays[f"{ours}.attention.{part}.{kind}"] for part in ("query", "key", "value")]
            yield f"{them}.attn.c_attn.{kind}", np.concatenate(parts, axis=-1)


parameters = dict(theirs.named_parameters())
for name, array in in_their_names(params):
    parameters[name].data.copy_(torch.from_numpy(array))

batch = objectives.causal_lm(np.random.default_rng(1).integers(0, config.vocabulary_size, (2, 50)))
logits, _ = model.forward(params, batch)
loss, grads = objectives.loss_and_gradient(model, params, batch)

their_logits = theirs(torch.from_numpy(batch.tokens)).logits
their_loss = torch.nn.functional.cross_entropy(their_logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten())
their_loss.backward()

print(f"loss: ours {loss:.12f}, PyTorch {their_loss.item():.12f}")
print(f"largest difference of a logit:    {np.abs(logits - their_logits.detach().numpy()).max():.1e}")
difference = max(np.abs(grad - parameters[name].grad.numpy()).max() for name, grad in in_their_names(grads))
print(f"largest difference of a gradient: {difference:.1e} over {grads.flat.size:,} of them")
assert difference < 1e-10
