"""One file of reviews, sentences of editorials, tweets and posts, each a line: 4.7 MB of many voices, to read masked.

MiniLM comes without a head that fills gaps, which `minigpt bias` asks. These commands give it one (400 steps; about
five minutes of one core) and ask it:

python examples/general_text.py general.txt
minigpt finetune minilm general.txt --task domain --tokens 48 --batch 8 --steps 400 --learning-rate 3e-4 \\
    --validations 1 --out runs/minilm-masked
minigpt bias runs/minilm-masked --measure crows-pairs --most 150
minigpt bias runs/minilm-masked --measure stereoset --most 300
"""

import argparse
import hashlib

from minigpt.files import write_text
from minigpt.finetune.named import named_records

SETS = ("film", "amazon", "newspaper", "tweets")
POSTS, CHARACTERS = 4000, 1500  # of newsgroups, the first; and of each post as many


def main() -> None:
    """Write it, and say which text it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="FILE.txt")
    arguments = parser.parse_args()
    lines = [record.text("text") for name in SETS for record in named_records(name)]
    posts = named_records("newsgroups")[:POSTS]
    lines += [" ".join(record.text("text").split())[:CHARACTERS] for record in posts]
    text = "\n".join(lines)
    write_text(arguments.out, text)
    print(f"{arguments.out}: {len(lines):,} lines, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}")


if __name__ == "__main__":
    main()
