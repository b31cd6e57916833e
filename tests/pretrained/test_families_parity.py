"""Every kind of model equals transformers, output for output and gradient for gradient, on random odd-sized models."""

import numpy as np
import pytest
from conftest import optional

from minigpt import Batch, Transformer, TransformerConfig
from minigpt.objectives import loss_and_gradient
from minigpt.ops import IGNORED, activation
from minigpt.pretrained.families import FAMILIES, read_params, write_params
from minigpt.pretrained.families.family import OURS

B, S, V = 3, 9, 37
TOLERANCE = 1e-9
PRESENT = np.arange(S) < np.array([[9], [6], [7]])
SPANS = np.array([[0, 3], [2, 2], [4, 5]])
COMMON = {"vocab_size": V, "num_labels": 4, "attn_implementation": "sdpa"}
GPT2 = {"n_positions": 11, "n_embd": 20, "n_layer": 3, "n_head": 5, "n_inner": 27, "pad_token_id": 0}
BERT = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 29,
    "max_position_embeddings": 13,
    "type_vocab_size": 3,
}
BART = {
    "d_model": 24,
    "encoder_layers": 3,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 3,
    "encoder_ffn_dim": 31,
    "decoder_ffn_dim": 35,
    "max_position_embeddings": 15,
    "scale_embedding": True,
    "forced_eos_token_id": 2,
}
LLAMA = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "intermediate_size": 35,
    "max_position_embeddings": 17,
    "rope_theta": 123.0,
    "pad_token_id": 0,
}
BIASED = {**LLAMA, "attention_bias": True, "mlp_bias": True, "head_dim": 6, "tie_word_embeddings": True}
CASES = [
    ("GPT2Config", {**GPT2, "activation_function": "gelu_new"}, "GPT2LMHeadModel"),
    ("GPT2Config", {**GPT2, "activation_function": "relu", "tie_word_embeddings": False}, "GPT2LMHeadModel"),
    ("GPT2Config", GPT2, "GPT2ForSequenceClassification"),
    ("GPT2Config", GPT2, "GPT2ForTokenClassification"),
    ("GPT2Config", {**GPT2, "num_labels": 2}, "GPT2ForQuestionAnswering"),
    ("BertConfig", BERT, "BertForPreTraining"),
    ("BertConfig", {**BERT, "hidden_act": "gelu_new"}, "BertForMaskedLM"),
    ("BertConfig", BERT, "BertForSequenceClassification"),
    ("BertConfig", BERT, "BertForTokenClassification"),
    ("BertConfig", {**BERT, "num_labels": 2}, "BertForQuestionAnswering"),
    ("BertConfig", {**BERT, "num_labels": 2}, "BertForNextSentencePrediction"),
    ("BartConfig", BART, "BartForConditionalGeneration"),
    ("BartConfig", BART, "BartForSequenceClassification"),
    ("BartConfig", {**BART, "num_labels": 2}, "BartForQuestionAnswering"),
    ("LlamaConfig", LLAMA, "LlamaForCausalLM"),
    ("LlamaConfig", BIASED, "LlamaForCausalLM"),
    ("LlamaConfig", LLAMA, "LlamaForSequenceClassification"),
    ("LlamaConfig", BIASED, "LlamaForTokenClassification"),
    ("LlamaConfig", {**LLAMA, "num_labels": 2}, "LlamaForQuestionAnswering"),
]


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


@pytest.fixture
def double_llama(torch, monkeypatch):
    """transformers computes Llama's norm and angles in float32 whatever the model's dtype; here in its own."""
    llama = optional("transformers.models.llama.modeling_llama")

    def norm(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))

    def angles(self, _x, position_ids):
        width = 2 * self.inv_freq.shape[0]
        frequencies = self.config.rope_parameters["rope_theta"] ** (-torch.arange(0, width, 2).double() / width)
        angle = position_ids[..., None].double() * frequencies
        return torch.cat([angle, angle], -1).cos(), torch.cat([angle, angle], -1).sin()

    monkeypatch.setattr(llama.LlamaRMSNorm, "forward", norm)
    monkeypatch.setattr(llama.LlamaRotaryEmbedding, "forward", angles)


def their_model(torch, config_name, sizes, model_name):
    transformers = optional("transformers")
    torch.manual_seed(0)
    config = getattr(transformers, config_name)(**{**COMMON, **sizes})
    model = getattr(transformers, model_name)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3 + (parameter.ndim == 1))
    return model


def our_model(theirs):
    family, cls = FAMILIES[theirs.config.model_type], type(theirs).__name__
    fields = {**family.read_config(theirs.config.to_dict()), **family.classes[cls]}
    if cls.endswith("Classification"):
        fields["labels"] = theirs.config.num_labels
    config = TransformerConfig(**fields)
    links = list(family.links(config, "transformer." if cls == "LlamaForQuestionAnswering" else family.base))
    if cls == "BertForNextSentencePrediction":  # the same head under another name
        links = [link._replace(theirs=link.theirs.replace("classifier.", "cls.seq_relationship.")) for link in links]
    tensors = {name: array.detach().numpy() for name, array in theirs.state_dict().items()}
    model = Transformer(config)
    return model, read_params(model.arrays(), links, tensors, dtype=np.float64), links


def question(theirs, rng):
    """A batch for us, and the same as keyword arguments for them."""
    config, cls = theirs.config, type(theirs).__name__
    batch = Batch(rng.integers(3, V, (B, S)), present=PRESENT)
    if "Sequence" in cls or cls.startswith("Bart"):
        padding, end = config.pad_token_id, 2
        batch = batch._replace(tokens=np.where(PRESENT, batch.tokens, padding))
        batch.tokens[np.arange(B), PRESENT.sum(axis=1) - 1] = end
    inputs = {"input_ids": batch.tokens, "attention_mask": PRESENT.astype(int)}
    if cls.startswith("Bert"):
        batch = batch._replace(segments=rng.integers(0, 3, (B, S)))
        inputs["token_type_ids"] = batch.segments
    if cls.startswith("Bart"):
        batch = batch._replace(source=batch.tokens, source_present=PRESENT)
        seen = np.concatenate([np.full((B, 1), 2), batch.tokens[:, :-1]], axis=1)
        if cls == "BartForConditionalGeneration":
            seen = rng.integers(3, V, (B, S - 2))
            inputs["decoder_input_ids"] = seen
        batch = batch._replace(tokens=seen, present=PRESENT if "Sequence" in cls else None)
    return batch, inputs


def answers(cls, batch, rng):
    if "QuestionAnswering" in cls:
        return batch._replace(labels=SPANS)
    if "Sequence" in cls or "NextSentence" in cls:
        return batch._replace(labels=rng.integers(0, 2, B))
    targets = rng.integers(0, 4, batch.tokens.shape)
    targets[:, 1] = IGNORED
    batch = batch._replace(targets=targets)
    return batch._replace(labels=rng.integers(0, 2, B)) if cls == "BertForPreTraining" else batch


def outputs(torch, cls, out):
    if "QuestionAnswering" in cls:
        return (torch.stack([out.start_logits, out.end_logits], -1),)
    return (out.prediction_logits, out.seq_relationship_logits) if cls == "BertForPreTraining" else (out.logits,)


def their_loss(torch, cls, theirs, batch):
    """In float64 throughout: transformers' own losses turn some logits into float32."""
    cross_entropy = torch.nn.functional.cross_entropy
    if "QuestionAnswering" in cls:
        return cross_entropy(theirs[0], torch.tensor(batch.labels))  # over the tokens
    wanted = [array for array in (batch.targets, batch.labels) if array is not None]
    return sum(
        cross_entropy(logits.reshape(-1, logits.shape[-1]), torch.tensor(target).reshape(-1), ignore_index=IGNORED)
        for logits, target in zip(theirs, wanted, strict=True)
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("config_name", "sizes", "cls"), CASES)
def test_equals_transformers(torch, double_llama, config_name, sizes, cls):
    theirs = their_model(torch, config_name, sizes, cls)
    model, params, links = our_model(theirs)
    rng = np.random.default_rng(3)
    batch, inputs = question(theirs, rng)
    batch = answers(cls, batch, rng)

    out = outputs(torch, cls, theirs(**{name: torch.tensor(array) for name, array in inputs.items()}))
    ours = model.forward(params, batch)[0]
    for a, b in zip(ours if isinstance(ours, tuple) else (ours,), out, strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=0, atol=TOLERANCE)

    value, grads = loss_and_gradient(model, params, batch)
    reference = their_loss(torch, cls, out, batch)
    reference.backward()
    assert value == pytest.approx(float(reference), abs=TOLERANCE)
    by_name = write_params(grads, links)
    for name, parameter in theirs.named_parameters():
        if parameter.grad is not None:
            np.testing.assert_allclose(by_name[name], parameter.grad.numpy(), rtol=0, atol=TOLERANCE, err_msg=name)
    assert set(by_name) <= set(dict(theirs.named_parameters())), "every array of ours is one of theirs"
