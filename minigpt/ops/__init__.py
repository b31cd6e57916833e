"""The mathematics: one file per operation, forward beside backward.

Every pair is `y, cache = NAME_forward(...)` and `gradients = NAME_backward(dy, cache)`. The cache is returned, never
stored, so an operation may run in many threads at once. A pair that is imported here is one of `OPERATIONS`, and the
tests ask for its cases, its planted bugs and its reference in PyTorch. (`as` marks what is offered to others.)

Letters: B batch, T query length, S key length, C model width, H heads, G key-value heads, D head width, F hidden
width, V vocabulary, N rows (all leading axes together).

>>> y, cache = minigpt.ops.softmax_forward(np.array([[0.0, 1.0, 2.0]]))
>>> dx = minigpt.ops.softmax_backward(np.array([[1.0, 0.0, 0.0]]), cache)
>>> bool(abs(dx.sum()) < 1e-12)  # moving all scores alike changes nothing
True
"""

from minigpt.ops.activations import ACTIVATIONS as ACTIVATIONS
from minigpt.ops.activations import Activation as Activation
from minigpt.ops.activations import activation as activation
from minigpt.ops.alibi import AlibiBias as AlibiBias
from minigpt.ops.alibi import alibi_slopes as alibi_slopes
from minigpt.ops.attention import attention_backward as attention_backward
from minigpt.ops.attention import attention_forward as attention_forward
from minigpt.ops.blockwise import blockwise_attention_backward as blockwise_attention_backward
from minigpt.ops.blockwise import blockwise_attention_forward as blockwise_attention_forward
from minigpt.ops.contrastive import contrastive_backward as contrastive_backward
from minigpt.ops.contrastive import contrastive_forward as contrastive_forward
from minigpt.ops.convolution import convolution_1d_backward as convolution_1d_backward
from minigpt.ops.convolution import convolution_1d_forward as convolution_1d_forward
from minigpt.ops.convolution import convolution_2d_backward as convolution_2d_backward
from minigpt.ops.convolution import convolution_2d_forward as convolution_2d_forward
from minigpt.ops.cross_entropy import IGNORED as IGNORED
from minigpt.ops.cross_entropy import cross_entropy_backward as cross_entropy_backward
from minigpt.ops.cross_entropy import cross_entropy_forward as cross_entropy_forward
from minigpt.ops.dropout import DropoutRule as DropoutRule
from minigpt.ops.dropout import draw_dropout_mask as draw_dropout_mask
from minigpt.ops.dropout import dropout_backward as dropout_backward
from minigpt.ops.dropout import dropout_forward as dropout_forward
from minigpt.ops.embedding import embedding_backward as embedding_backward
from minigpt.ops.embedding import embedding_forward as embedding_forward
from minigpt.ops.experts import load_balancing_backward as load_balancing_backward
from minigpt.ops.experts import load_balancing_forward as load_balancing_forward
from minigpt.ops.experts import router_backward as router_backward
from minigpt.ops.experts import router_forward as router_forward
from minigpt.ops.gated import gated_backward as gated_backward
from minigpt.ops.gated import gated_forward as gated_forward
from minigpt.ops.gelu import gelu_backward as gelu_backward
from minigpt.ops.gelu import gelu_forward as gelu_forward
from minigpt.ops.gelu import gelu_tanh_backward as gelu_tanh_backward
from minigpt.ops.gelu import gelu_tanh_forward as gelu_tanh_forward
from minigpt.ops.layer_norm import layer_norm_backward as layer_norm_backward
from minigpt.ops.layer_norm import layer_norm_forward as layer_norm_forward
from minigpt.ops.linear import linear_backward as linear_backward
from minigpt.ops.linear import linear_forward as linear_forward
from minigpt.ops.linear import weight_gradient as weight_gradient
from minigpt.ops.low_rank import low_rank_backward as low_rank_backward
from minigpt.ops.low_rank import low_rank_forward as low_rank_forward
from minigpt.ops.masks import MaskRule as MaskRule
from minigpt.ops.masks import causal_mask as causal_mask
from minigpt.ops.masks import padding_mask as padding_mask
from minigpt.ops.operation import Operation as Operation
from minigpt.ops.operation import find_operations
from minigpt.ops.relu import relu_backward as relu_backward
from minigpt.ops.relu import relu_forward as relu_forward
from minigpt.ops.rms_norm import rms_norm_backward as rms_norm_backward
from minigpt.ops.rms_norm import rms_norm_forward as rms_norm_forward
from minigpt.ops.rotary import rotary_angles as rotary_angles
from minigpt.ops.rotary import rotary_backward as rotary_backward
from minigpt.ops.rotary import rotary_forward as rotary_forward
from minigpt.ops.silu import silu_backward as silu_backward
from minigpt.ops.silu import silu_forward as silu_forward
from minigpt.ops.sinusoidal import sinusoidal_grid as sinusoidal_grid
from minigpt.ops.sinusoidal import sinusoidal_positions as sinusoidal_positions
from minigpt.ops.soft_targets import soft_targets_backward as soft_targets_backward
from minigpt.ops.soft_targets import soft_targets_forward as soft_targets_forward
from minigpt.ops.softmax import softmax_backward as softmax_backward
from minigpt.ops.softmax import softmax_forward as softmax_forward
from minigpt.ops.squared_error import squared_error_backward as squared_error_backward
from minigpt.ops.squared_error import squared_error_forward as squared_error_forward
from minigpt.ops.tanh import tanh_backward as tanh_backward
from minigpt.ops.tanh import tanh_forward as tanh_forward

OPERATIONS: dict[str, Operation] = find_operations(globals())
