"""tokenizer.json files as other programs write them, with every setting that they know drawn at random."""

import numpy as np

from minigpt.text.printable import GPT2_BYTE_ORDER, spell

MERGES = ["t h", "th e", "Ġ the", "2 0", "Ġ a", "Ã ©", "Ġ Ġ", "a b", "Ċ Ċ"]
PIECES = ["the", "th", "##e", "a", "##a", "é", "e", "##é", "E", "世", "##界", "界", "σ", "##σ", "i", "2", "##0", "x"]
PIECES += ["<", ">", ".", ",", "!", "'", "n", "t", "##t", "s", "do", "not", "The", "\u0301", "##\u0301", "ı", "\u200b"]
ADDED = ["<s>", "</s>", "<mask>", "the", "a", "  ", " the", "é", "<S>", "世界", "\n\n", "th", "<|endoftext|>", "##a"]
PLACES = ("single_word", "lstrip", "rstrip", "normalized")


def one_of(rng, *values):
    return values[int(rng.integers(len(values)))]


def rarely(rng, value, *usual):
    """Mostly one of the usual values, or that one."""
    return one_of(rng, *usual) if rng.random() < 0.9 else value


def byte_level(rng, **fixed):
    flags = {"add_prefix_space": rarely(rng, True, False), "trim_offsets": bool(rng.integers(2))}
    return {"type": "ByteLevel", **flags, "use_regex": rarely(rng, False, True), **fixed}


def added_tokens(rng, vocabulary):
    """Some that the vocabulary has, some with the ids that follow, now and then after a gap."""
    found, following = [], max(vocabulary.values()) + 1 + rarely(rng, 2, 0)
    for content in rng.permutation(np.array(ADDED, object))[: int(rng.integers(0, 7))]:
        flags = {name: bool(rng.random() < 0.3) for name in PLACES}
        id_ = vocabulary.get(content, following)
        following += content not in vocabulary
        found.append({"id": id_, "content": content, **flags, "special": bool(rng.integers(2))})
    return sorted(found, key=lambda token: token["id"])


def byte_pair(rng):
    spelled = [spell(bytes([byte])) for byte in GPT2_BYTE_ORDER]
    if rng.random() < 0.2:
        spelled.remove(spell(b"\x01"))
    tokens = [*spelled, *(merge.replace(" ", "") for merge in MERGES), "<s>", "never", "<mask>"]
    ids = rng.permutation(len(tokens))
    vocabulary = {token: int(id_) for token, id_ in zip(tokens, ids, strict=True)}
    digits, split = {"type": "Digits", "individual_digits": rarely(rng, False, True)}, byte_level(rng)
    model = {"type": "BPE", "dropout": rarely(rng, 0.5, None, 0.0), "unk_token": one_of(rng, None, "<s>")}
    model |= {
        "continuing_subword_prefix": rarely(rng, "##", None, ""),
        "end_of_word_suffix": rarely(rng, "w", None, ""),
    }
    model |= {"fuse_unk": bool(rng.integers(2)), "byte_fallback": rarely(rng, True, False)}
    model |= {"ignore_merges": rarely(rng, True, False), "vocab": vocabulary}
    model["merges"] = MERGES if rng.integers(2) else [merge.split(" ") for merge in MERGES]
    steps = one_of(rng, split, {"type": "Sequence", "pretokenizers": [digits, split]})
    norms = rarely(
        rng, one_of(rng, {"type": "NFC"}, {"type": "Lowercase"}, {"type": "Sequence", "normalizers": []}), None
    )
    return {
        "added_tokens": added_tokens(rng, vocabulary),
        "normalizer": rarely(rng, norms, None),
        "pre_tokenizer": rarely(rng, one_of(rng, None, {"type": "Whitespace"}, {"type": "Metaspace"}), steps),
        "post_processor": one_of(rng, None, byte_level(rng), template(vocabulary)),
        "decoder": rarely(
            rng, one_of(rng, {"type": "Fuse"}, {"type": "BPEDecoder", "suffix": "w"}), None, byte_level(rng)
        ),
        "model": model,
    }


def template(vocabulary):
    one = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    special = {"<s>": {"id": "<s>", "ids": [vocabulary["<s>"]], "tokens": ["<s>"]}}
    pair = [*one, {"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": one, "pair": pair, "special_tokens": special}


def word_piece(rng):
    tokens = rng.permutation(np.array(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", *PIECES], object))
    vocabulary = {token: id_ for id_, token in enumerate(tokens)}
    flags = {name: bool(rng.integers(2)) for name in ("clean_text", "handle_chinese_chars", "lowercase")}
    flags["strip_accents"] = one_of(rng, None, True, False)
    model = {"type": "WordPiece", "unk_token": rarely(rng, "[PAD]", "[UNK]"), "vocab": vocabulary}
    model["continuing_subword_prefix"] = rarely(rng, "@", "##")
    model["max_input_chars_per_word"] = rarely(rng, 3, 100)
    ends = {name: [f"[{name.upper()}]", vocabulary[f"[{name.upper()}]"]] for name in ("sep", "cls")}
    piece = {"type": "WordPiece", "prefix": rarely(rng, "@", "##"), "cleanup": bool(rng.integers(2))}
    return {
        "added_tokens": added_tokens(rng, vocabulary),
        "normalizer": rarely(rng, one_of(rng, None, {"type": "Lowercase"}), {"type": "BertNormalizer", **flags}),
        "pre_tokenizer": rarely(rng, {"type": "Whitespace"}, {"type": "BertPreTokenizer"}),
        "post_processor": one_of(rng, None, {"type": "BertProcessing", **ends}),
        "decoder": rarely(rng, {"type": "Fuse"}, None, piece),
        "model": model,
    }


def characters(rng):
    """As minigpt writes its own, now and then with a setting changed."""
    letters = "".join(sorted(set("the 20aé世.,\n")))
    vocabulary = {letter: id_ for id_, letter in enumerate(letters)}
    plain = dict.fromkeys(PLACES, False)
    names = ["<|endoftext|>", "<mask>"][: int(rng.integers(1, 3))]
    added = [{"id": len(letters) + i, "content": name, **plain, "special": True} for i, name in enumerate(names)]
    if rng.random() < 0.2:
        added[0][one_of(rng, *PLACES)] = True
    model = {"type": "BPE", "dropout": None, "unk_token": None, "vocab": vocabulary, "merges": []}
    model |= {"continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": bool(rng.integers(2))}
    model |= {"byte_fallback": rarely(rng, True, False), "ignore_merges": rarely(rng, True, False)}
    empty = {"normalizer": rarely(rng, {"type": "NFC"}, None), "pre_tokenizer": None, "post_processor": None}
    return {**empty, "decoder": rarely(rng, None, {"type": "Fuse"}), "added_tokens": added, "model": model}


def drawn_tokenizer(rng):
    """The value of a tokenizer.json."""
    whole = one_of(rng, byte_pair, word_piece, characters)(rng)
    longest = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    return {"version": "1.0", "truncation": rarely(rng, longest, None), "padding": None, **whole}
