"""GPT-2 in PyTorch, the rival of `train_step.py` and, without biases, of `time_to_loss.py`."""

import math

from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """GPT-2's block, as one would write it for speed in PyTorch: fused projections, fused attention.

    approximate: "tanh" or "none", of GELU.
    """

    def __init__(self, width, heads, bias, approximate):
        super().__init__()
        self.heads, self.approximate = heads, approximate
        self.norm1, self.norm2 = (nn.LayerNorm(width, bias=bias) for _ in range(2))
        self.qkv, self.output = nn.Linear(width, 3 * width, bias=bias), nn.Linear(width, width, bias=bias)
        self.up, self.down = nn.Linear(width, 4 * width, bias=bias), nn.Linear(4 * width, width, bias=bias)

    def forward(self, x):
        q, k, v = (a.unflatten(-1, (self.heads, -1)).transpose(1, 2) for a in self.qkv(self.norm1(x)).chunk(3, -1))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + self.output(y)
        return x + self.down(functional.gelu(self.up(self.norm2(x)), approximate=self.approximate))


class TorchGPT(nn.Module):
    """GPT-2 with a tied head. It begins as nanoGPT does: N(0, 0.02), by sqrt(2 layers) smaller where a block ends."""

    def __init__(self, config, *, bias=True, approximate="tanh"):
        super().__init__()
        self.tokens = nn.Embedding(config.vocabulary_size, config.width)
        self.positions = nn.Embedding(config.context, config.width)
        blocks = (Block(config.width, config.heads, bias, approximate) for _ in range(config.layers))
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(config.width, bias=bias)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                adds = name.endswith(("output.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * config.layers) if adds else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens, targets):
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        logits = self.norm(self.blocks(x)) @ self.tokens.weight.T
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
