"""Files of tokenizers with drawn settings: opened with the ids and texts of `tokenizers`, or refused by name."""

import json
import os
import re

import numpy as np
from conftest import optional
from drawn_tokenizers import drawn_tokenizer
from test_rival_tokenizers import text_of

from minigpt import UserError
from minigpt.text.tokenizer_json import load_tokenizer_json

FUZZ = int(os.environ.get("MINIGPT_FUZZ", "120"))
NAMED = re.compile(r"\w+ = |no token has the id|other ids than|it has no \w+|pre_tokenizer|when it is normalized")


def decoded_alike(whole, ours, ids):
    """Whether both must give one text: their added tokens, if not plain, come back as the vocabulary spells them."""
    plain = all(token.content.isascii() and not token.normalized for token in ours.added_tokens)
    return whole["decoder"] is not None and plain and ids


def compare(whole, ours, theirs, rng):
    for _ in range(4):
        text = text_of(rng)
        for allow in (True, False):
            theirs.encode_special_tokens = not allow
            try:
                ids = theirs.encode(text, add_special_tokens=False).ids
                mine = ours.encode(text, allow_special=allow).tolist()
            except UserError as error:  # of single characters; theirs leaves out what it does not know
                assert ours.kind == "characters" and "was not in the text" in str(error)
                continue
            except BaseException as error:  # theirs panics on some texts
                if type(error).__name__ != "PanicException":
                    raise
                continue
            assert mine == ids, (text, allow)
            if ours.kind != "characters" and decoded_alike(whole, ours, ids):
                assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)


def test_drawn_files_give_equal_ids_or_are_refused_by_name(tmp_path):
    tokenizers, path, opened = optional("tokenizers"), tmp_path / "tokenizer.json", 0
    for seed in range(FUZZ):
        rng = np.random.default_rng([5, seed])
        whole = drawn_tokenizer(rng)
        path.write_text(json.dumps(whole), encoding="utf-8")
        try:
            ours = load_tokenizer_json(path)
        except UserError as error:
            assert NAMED.search(str(error)), (seed, str(error))
            continue
        theirs = tokenizers.Tokenizer.from_file(str(path))
        theirs.no_truncation()
        assert ours.vocabulary_size == theirs.get_vocab_size()
        compare(whole, ours, theirs, rng)
        opened += 1
    assert opened > FUZZ // 3
