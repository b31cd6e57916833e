"""The tokenizer of a model's folder: the older files and the settings beside them, as transformers reads them."""

import json

import pytest
from conftest import optional

from minigpt import UserError
from minigpt.text.gguf_tokenizer import tokenizer_of_gguf
from minigpt.text.model_folder import load_folder_tokenizer
from minigpt.text.printable import GPT2_BYTE_ORDER, spell

GPT2 = {spell(bytes([byte])): id_ for id_, byte in enumerate(GPT2_BYTE_ORDER)} | {"ab": 256, "<|endoftext|>": 257}
MERGES = "#version: 0.2\na b\n"
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "The", "é", "e", "東", "##京", "σ", "##σ"]
ROBERTA = {name: id_ for id_, name in enumerate(["<s>", "<pad>", "</s>", "<unk>", *GPT2, "madeupword0000", "<mask>"])}
TEXTS = [
    "a  <mask> <s>ab</s> madeupword0000<pad>",
    "ab <x><|endoftext|> ab",
    "The é 東京 [MASK]<x> <X>the ΣΣ",
    "<x> <y>",
    "a  <y>b",
]


def written(tmp_path, **files):
    """A folder with these files; `__` in a name is a dot."""
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return tmp_path


def gpt2(**files):
    class_name = {"tokenizer_class": "GPT2Tokenizer"}
    settings = {**class_name, **files.pop("tokenizer_config__json", {})}
    return {"vocab__json": GPT2, "merges__txt": MERGES, "tokenizer_config__json": settings, **files}


def bert(**files):
    settings = {"tokenizer_class": "BertTokenizer", **files.pop("tokenizer_config__json", {})}
    return {"vocab__txt": "\n".join(BERT) + "\n", "tokenizer_config__json": settings, **files}


def token(**flags):
    plain = dict.fromkeys(("lstrip", "rstrip", "normalized", "single_word", "special"), False)
    return {"content": "<y>", **plain, **flags}


def typed(content):
    """As transformers writes a special token."""
    return token(content=content, lstrip=True, __type="AddedToken")


@pytest.mark.parametrize(
    "files",
    [
        gpt2(),
        gpt2(added_tokens__json={"<x>": 258}),
        gpt2(tokenizer_config__json={"added_tokens_decoder": {"258": token(lstrip=True)}}),
        bert(),
        bert(added_tokens__json={"<x>": 13}),
        *(bert(tokenizer_config__json={"do_lower_case": low, "strip_accents": strip}) for low in (True, False)
          for strip in (True, False, None)),
        bert(tokenizer_config__json={"tokenize_chinese_chars": False}, added_tokens__json={"<x>": 13}),
        bert(vocab__txt="\n".join(BERT).replace("the", "the ") + "\n"),
        bert(tokenizer_config__json={"additional_special_tokens": ["the"]}),
        gpt2(tokenizer_config__json={"pad_token": "a", "extra_special_tokens": {"image_token": "b"}}),
        gpt2(special_tokens_map__json={"additional_special_tokens": [typed("ab")]}),
        gpt2(vocab__json={**GPT2, "<x>": 258, "<y>": 259}),
        *(gpt2(vocab__json=ROBERTA, tokenizer_config__json=said, config__json={"model_type": "roberta"}) for said in (
            {"tokenizer_class": "RobertaTokenizer"},
            {"tokenizer_class": "BartTokenizerFast", "mask_token": typed("<mask>")},
            {"tokenizer_class": None},
        )),
    ],
)  # fmt: skip
def test_older_files_give_the_ids_of_transformers(files, tmp_path):
    family = "bert" if "vocab__txt" in files else "gpt2"
    folder = written(tmp_path, **{"config__json": {"model_type": family}, **files})
    theirs = optional("transformers").AutoTokenizer.from_pretrained(folder)
    ours = load_folder_tokenizer(folder)
    assert ours.vocabulary_size == len(theirs)
    for text in TEXTS:
        assert ours.encode(text, allow_special=True).tolist() == theirs(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (gpt2(tokenizer_config__json={"add_prefix_space": True}), "add_prefix_space = True, which is not supported"),
        (gpt2(added_tokens__json={"<x>": 300}), "no token has the id 258, a gap"),
        (gpt2(added_tokens__json={"ab": 258}), "'ab' has the ids 256 and 258"),
        (gpt2(added_tokens__json={"<x>": "258"}), "id = '258'"),
        (gpt2(tokenizer_config__json={"eos_token": "<end>"}), "eos_token is '<end>', which is no token"),
        (gpt2(tokenizer_config__json={"pad_token": "[PAD]"}), "pad_token is '.PAD.', which is no token"),
        (
            gpt2(special_tokens_map__json={"additional_special_tokens": ["<x>"]}),
            "tokens.0. is '<x>', which is no token",
        ),
        (gpt2(tokenizer_config__json={"extra_special_tokens": "<x>"}), "extra_special_tokens is '<x>', but it must be"),
        (gpt2(tokenizer_config__json={"split_special_tokens": True}), "split_special_tokens = True, which is not"),
        (gpt2(tokenizer_config__json={"tokenizer_class": "CLIPTokenizer"}), "class CLIP is not supported with a vocab"),
        (
            gpt2(tokenizer_config__json={"tokenizer_class": None}, config__json={"model_type": "bert"}),
            "class Bert is not",
        ),
        ({"vocab__json": GPT2}, "there is no file .*merges.txt"),
        ({"merges__txt": MERGES}, "there is no file .*vocab.json"),
        (
            bert(tokenizer_config__json={"tokenizer_class": "BertJapaneseTokenizer"}),
            "class BertJapanese is not supported",
        ),
        (bert(tokenizer_config__json={"unk_token": "the"}), "unk_token is 'the'; .UNK. is supported"),
        (gpt2(tokenizer_config__json={"added_tokens_decoder": [1]}), "added_tokens_decoder that is damaged"),
        (gpt2(tokenizer_config__json={"added_tokens_decoder": {"258": token(trim=True)}}), "trim = True"),
        (bert(tokenizer_config__json={"do_basic_tokenize": False}), "do_basic_tokenize = False"),
        (bert(tokenizer_config__json={"never_split": ["the"]}), "never_split = "),
        (bert(tokenizer_config__json={"do_lower_case": "no"}), "lower_case"),
        (bert(added_tokens__json={"<x>": 14}), "has the id 14, which is not its place"),
        (bert(vocab__txt="the\n"), "has no .PAD.; is it that of a BERT model"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(files, says, tmp_path):
    with pytest.raises(UserError, match=says):
        load_folder_tokenizer(written(tmp_path, **files))


def test_a_file_beside_tokenizer_json_must_agree_with_it(tmp_path):
    tokenizers = optional("tokenizers")
    theirs = tokenizers.Tokenizer(tokenizers.models.WordPiece({t: i for i, t in enumerate(BERT)}, unk_token="[UNK]"))
    theirs.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=False)
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    theirs.save(str(tmp_path / "tokenizer.json"))
    assert load_folder_tokenizer(written(tmp_path, tokenizer_config__json={"do_lower_case": False})).encode("The") == [
        6
    ]
    with pytest.raises(UserError, match=r"pad_token is '.PAD.', which is no token that tokenizer.json has"):
        load_folder_tokenizer(written(tmp_path, tokenizer_config__json={"pad_token": "[PAD]"}))
    with pytest.raises(UserError, match=r"says do_lower_case = True, but tokenizer.json False"):
        load_folder_tokenizer(written(tmp_path, tokenizer_config__json={"do_lower_case": True}))
    with pytest.raises(UserError, match=r"lacks the added token .*<x>"):
        load_folder_tokenizer(written(tmp_path, tokenizer_config__json={}, added_tokens__json={"<x>": 13}))


def test_the_end_of_text_is_the_one_that_is_named(tmp_path):
    assert load_folder_tokenizer(written(tmp_path, **gpt2())).end_of_text == 257
    named = gpt2(tokenizer_config__json={"eos_token": {"content": "ab"}})
    assert load_folder_tokenizer(written(tmp_path, **named)).end_of_text == 256
    nameless = {token: id_ for token, id_ in GPT2.items() if id_ < 257}
    assert load_folder_tokenizer(written(tmp_path, **gpt2(vocab__json=nameless))).end_of_text is None
    assert load_folder_tokenizer(tmp_path / "none") is None


def test_a_token_is_special_where_a_file_names_it_so(tmp_path):
    files = gpt2(added_tokens__json={"<x>": 258, "<pad>": 259}, special_tokens_map__json={"pad_token": "<pad>"})
    tokenizer = load_folder_tokenizer(written(tmp_path, **files))
    assert tokenizer.special_tokens == {"<|endoftext|>": 257, "<pad>": 259}
    assert tokenizer.encode("<x>").tolist() == [258]
    assert 259 not in tokenizer.encode("<pad>")
    assert tokenizer.encode("<pad>", allow_special=True).tolist() == [259]


def test_whether_an_added_token_is_normalized_matters_where_something_is_normalized(tmp_path):
    tokenizers = optional("tokenizers")
    decoder = {"added_tokens_decoder": {"258": token(special=True)}}
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE(GPT2, [("a", "b")]))
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.add_special_tokens([tokenizers.AddedToken("<y>", normalized=True, special=True)])
    theirs.save(str(tmp_path / "tokenizer.json"))
    assert load_folder_tokenizer(written(tmp_path, tokenizer_config__json=decoder)).special_tokens == {"<y>": 258}
    decoder["added_tokens_decoder"]["258"]["lstrip"] = True
    with pytest.raises(UserError, match=r"lacks the added token .*lstrip=True"):
        load_folder_tokenizer(written(tmp_path, tokenizer_config__json=decoder))


def test_a_byte_order_mark_and_other_line_ends_do_not_enter_a_vocabulary(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(BERT).encode())
    tokenizer = load_folder_tokenizer(tmp_path)
    assert tokenizer.tokens == BERT
    assert tokenizer.end_of_text is None


def test_the_template_of_a_chat_is_kept_for_those_who_chat(tmp_path):
    assert load_folder_tokenizer(written(tmp_path, **gpt2())).chat_template is None
    files = gpt2(tokenizer_config__json={"chat_template": "{{ one }}"})
    assert load_folder_tokenizer(written(tmp_path, **files)).chat_template == "{{ one }}"
    (tmp_path / "chat_template.jinja").write_text("{{ two }}", encoding="utf-8")
    assert load_folder_tokenizer(tmp_path).chat_template == "{{ two }}"
    assert tokenizer_of_gguf({**gguf(), "tokenizer.chat_template": "{{ three }}"}).chat_template == "{{ three }}"


def gguf(**values):
    tokens = [*list(GPT2), "<user>"]
    plain = {"model": "gpt2", "pre": "gpt-2", "tokens": tokens, "merges": ["a b"], "token_type": [1] * 257 + [3, 4]}
    return {f"tokenizer.ggml.{name}": value for name, value in {**plain, **values}.items()}


def test_a_gguf_file_tells_control_tokens_from_those_of_the_user():
    tokenizer = tokenizer_of_gguf(gguf(eos_token_id=258))
    assert tokenizer.special_tokens == {"<|endoftext|>": 257} and tokenizer.end_of_text == 258
    assert tokenizer.encode("ab<user>").tolist() == [256, 258]
    assert 257 not in tokenizer.encode("<|endoftext|>")
    assert tokenizer.encode("ab<|endoftext|>", allow_special=True).tolist() == [256, 257]
    assert tokenizer_of_gguf(gguf()).end_of_text == 257


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"eos_token_id": 259}, "the end of text has the id 259, but there are 259 tokens"),
        ({"eos_token_id": "2"}, "the end of text has the id '2'"),
        ({"add_space_prefix": True}, "add_space_prefix = True is not supported"),
        ({"pre": "llama-bpe"}, "'llama-bpe' is not supported"),
        ({"pre": ["gpt-2"]}, r"split \['gpt-2'\] is not supported"),
        ({"model": {}}, "the tokenizer {} with the split"),
        ({"token_type": [1.0] * 259}, "token of the kind 1.0"),
        ({"token_type": [1]}, "missing or damaged"),
    ],
)
def test_a_gguf_file_that_cannot_be_read_right_is_refused(values, says):
    with pytest.raises(UserError, match=says):
        tokenizer_of_gguf(gguf(**values))
