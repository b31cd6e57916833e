"""`minigpt embed`: how alike are the lines of a file?"""

from minigpt.cli.options import MODEL, add_command, checkpoint_option, print_json, read_utf8, visible
from minigpt.errors import UserError
from minigpt.infer import embed
from minigpt.pretrained import open_model

SHOWN = 10  # of the most alike pairs


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "embed",
        execute,
        "  minigpt embed minilm sentences.txt\n  minigpt embed minilm sentences.txt --json",
    )
    parser.add_argument("model", help=f"an encoder: {MODEL}")
    parser.add_argument("file", help="a text file, one sentence on a line")
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print sentences, embeddings and similarities")


def execute(arguments) -> int:
    """Print the most alike pairs, or everything."""
    lines = [line.strip() for line in read_utf8(arguments.file).splitlines() if line.strip()]
    if len(lines) < 2:
        raise UserError(f"{arguments.file} has {len(lines)} lines of text, but comparing takes two or more; add some")
    opened = open_model(arguments.model, checkpoint=arguments.checkpoint)
    embeddings = embed(opened.model, opened.params, opened.tokenizer, lines)
    similarity = embeddings @ embeddings.T
    if arguments.json:
        print_json({"sentences": lines, "similarity": similarity.tolist(), "embeddings": embeddings.tolist()})
        return 0
    pairs = sorted(((similarity[i, j], i, j) for i in range(len(lines)) for j in range(i)), reverse=True)
    for value, i, j in pairs[:SHOWN]:
        print(f"{value:6.3f}  {visible(lines[j])}\n        {visible(lines[i])}")
    return 0
