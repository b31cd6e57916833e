"""Which objective can train which architecture, and why not the others."""

from minigpt.errors import UserError
from minigpt.model import Batch, TransformerConfig

LEAK = (
    "every position of a bidirectional stack sees the token after it, which is the one it is asked for: the loss falls "
    "to zero by copying, and nothing is learnt that could write; use a decoder, or masked_lm"
)
HALF_BLIND = (
    "under a causal mask a masked token never sees what stands to its right, so half of what masking is for is lost, "
    "and only a few tokens are scored; use an encoder, or causal_lm"
)
NO_SOURCE = (
    "an encoder-decoder writes one text while it reads another, and here there is only one; use infilling, "
    "span_corruption or sequence_to_sequence"
)
NO_READER = "the text to be read goes to an encoder and the text to be written to a decoder; use an encoder-decoder"
NO_READER_FIM = f"{NO_READER}, or fill_in_the_middle, which needs a decoder only"
BOTH_SEEN = (
    "whether two texts belong together is asked of their first token, which under a causal mask sees nothing but "
    "itself; use an encoder"
)

# objective -> architecture -> None if it can train it, else the reason why not
TRAINS: dict[str, dict[str, str | None]] = {
    "causal_lm": {"decoder": None, "encoder": LEAK, "encoder-decoder": NO_SOURCE},
    "prefix_lm": {"decoder": None, "encoder": LEAK, "encoder-decoder": NO_SOURCE},
    "fill_in_the_middle": {"decoder": None, "encoder": LEAK, "encoder-decoder": NO_SOURCE},
    "masked_lm": {"decoder": HALF_BLIND, "encoder": None, "encoder-decoder": NO_SOURCE},
    "next_sentence": {"decoder": BOTH_SEEN, "encoder": None, "encoder-decoder": NO_SOURCE},
    "sentence_order": {"decoder": BOTH_SEEN, "encoder": None, "encoder-decoder": NO_SOURCE},
    "infilling": {"decoder": NO_READER_FIM, "encoder": NO_READER, "encoder-decoder": None},
    "span_corruption": {"decoder": NO_READER_FIM, "encoder": NO_READER, "encoder-decoder": None},
    "sequence_to_sequence": {"decoder": NO_READER, "encoder": NO_READER, "encoder-decoder": None},
}


def check_suits(config: TransformerConfig, batch: Batch) -> None:
    """`UserError`, with the reason, if the objective that made the batch cannot train this architecture.

    A batch that was put together by hand (objective None) is taken as it is.
    """
    if batch.objective is None:
        return
    reason = TRAINS[batch.objective][config.architecture]
    if reason is not None:
        raise UserError(
            f"{batch.objective} cannot train {'a' if config.architecture == 'decoder' else 'an'} "
            f"{config.architecture}: {reason}"
        )
