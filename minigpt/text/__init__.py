"""Text: tokenizers, corpora, token files, batches."""

from minigpt.text.batches import BatchSampler, evaluation_windows
from minigpt.text.bpe import BytePairTokenizer
from minigpt.text.characters import CharacterTokenizer
from minigpt.text.corpora import Corpus, load_corpus, split_documents
from minigpt.text.fetch import cache_folder, fetch_package
from minigpt.text.gpt2_files import load_gpt2_files, save_gpt2_files
from minigpt.text.named_corpora import CORPORA
from minigpt.text.sentences import split_sentences
from minigpt.text.tokenizer import END_OF_TEXT, Tokenizer, document_end, load_tokenizer
from minigpt.text.tokens import open_tokens, write_corpus, write_tokens

__all__ = [
    "CORPORA",
    "END_OF_TEXT",
    "BatchSampler",
    "BytePairTokenizer",
    "CharacterTokenizer",
    "Corpus",
    "Tokenizer",
    "cache_folder",
    "document_end",
    "evaluation_windows",
    "fetch_package",
    "load_corpus",
    "load_gpt2_files",
    "load_tokenizer",
    "open_tokens",
    "save_gpt2_files",
    "split_documents",
    "split_sentences",
    "write_corpus",
    "write_tokens",
]
