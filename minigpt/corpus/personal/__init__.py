"""Personal information in text: found by hand-written rules, replaced or removed, and measured on labelled text.

`find` gives spans, `replace` puts placeholders, pseudonyms or nothing in their place. What rules do not know stays in
the text, and what is left may still point to one person; `minigpt.corpus.personal.evaluate` says how much was found on
text where everything is labelled.
"""

from minigpt.corpus.personal.find import KINDS, find
from minigpt.corpus.personal.pseudonyms import Pseudonyms
from minigpt.corpus.personal.replace import replace
from minigpt.corpus.personal.span import Span

__all__ = ["KINDS", "Pseudonyms", "Span", "find", "replace"]
