"""A datasheet: the questions of Gebru et al. 2018 ("Datasheets for datasets", arXiv:1803.09010) under their headings.

What this cleaning measured is answered; all else is left as a question for the owner, marked so.
"""

from collections.abc import Callable
from typing import Any

from minigpt.errors import visible_line

OWNER = "*For the owner of the corpus to answer; it cannot be measured.*"

QUESTIONS = {
    "Motivation": (
        "For what purpose was the dataset created?",
        "Who created the dataset, and on behalf of which entity?",
        "Who funded the creation of the dataset?",
        "Any other comments?",
    ),
    "Composition": (
        "What do the instances that comprise the dataset represent?",
        "How many instances are there in total?",
        "Does the dataset contain all possible instances or is it a sample of instances from a larger set?",
        "What data does each instance consist of?",
        "Is there a label or target associated with each instance?",
        "Is any information missing from individual instances?",
        "Are relationships between individual instances made explicit?",
        "Are there recommended data splits?",
        "Are there any errors, sources of noise, or redundancies in the dataset?",
        "Is the dataset self-contained, or does it link to or otherwise rely on external resources?",
        "Does the dataset contain data that might be considered confidential?",
        "Does the dataset contain data that, if viewed directly, might be offensive, insulting, threatening, or might "
        "otherwise cause anxiety?",
        "Does the dataset identify any subpopulations?",
        "Is it possible to identify individuals, either directly or indirectly, from the dataset?",
        "Does the dataset contain data that might be considered sensitive in any way?",
        "Any other comments?",
    ),
    "Collection process": (
        "How was the data associated with each instance acquired?",
        "What mechanisms or procedures were used to collect the data?",
        "If the dataset is a sample from a larger set, what was the sampling strategy?",
        "Who was involved in the data collection process and how were they compensated?",
        "Over what timeframe was the data collected?",
        "Were any ethical review processes conducted?",
        "Did you collect the data from the individuals in question directly, or obtain it via third parties or other "
        "sources?",
        "Were the individuals in question notified about the data collection?",
        "Did the individuals in question consent to the collection and use of their data?",
        "If consent was obtained, were the consenting individuals provided with a mechanism to revoke their consent in "
        "the future or for certain uses?",
        "Has an analysis of the potential impact of the dataset and its use on data subjects been conducted?",
        "Any other comments?",
    ),
    "Preprocessing/cleaning/labeling": (
        "Was any preprocessing/cleaning/labeling of the data done?",
        'Was the "raw" data saved in addition to the preprocessed/cleaned/labeled data?',
        "Is the software that was used to preprocess/clean/label the data available?",
        "Any other comments?",
    ),
    "Uses": (
        "Has the dataset been used for any tasks already?",
        "Is there a repository that links to any or all papers or systems that use the dataset?",
        "What (other) tasks could the dataset be used for?",
        "Is there anything about the composition of the dataset or the way it was collected and "
        "preprocessed/cleaned/labeled that might impact future uses?",
        "Are there tasks for which the dataset should not be used?",
        "Any other comments?",
    ),
    "Distribution": (
        "Will the dataset be distributed to third parties outside of the entity on behalf of which it was created?",
        "How will the dataset be distributed?",
        "When will the dataset be distributed?",
        "Will the dataset be distributed under a copyright or other intellectual property license, and/or under "
        "applicable terms of use?",
        "Have any third parties imposed IP-based or other restrictions on the data associated with the instances?",
        "Do any export controls or other regulatory restrictions apply to the dataset or to individual instances?",
        "Any other comments?",
    ),
    "Maintenance": (
        "Who will be supporting/hosting/maintaining the dataset?",
        "How can the owner/curator/manager of the dataset be contacted?",
        "Is there an erratum?",
        "Will the dataset be updated?",
        "If the dataset relates to people, are there applicable limits on the retention of the data associated with "
        "the instances?",
        "Will older versions of the dataset continue to be supported/hosted/maintained?",
        "If others want to extend/augment/build on/contribute to the dataset, is there a mechanism for them to do so?",
        "Any other comments?",
    ),
}


def datasheet(report: dict[str, Any]) -> str:
    """As Markdown."""
    lines = [
        f"# Datasheet: {_named(report)}, cleaned",
        "The questions are those of Gebru et al. 2018, arXiv:1803.09010. Every number below was counted by the "
        "cleaning that wrote this file, but for one that is computed and says so; `report.json` holds them all.",
    ]
    for heading, questions in QUESTIONS.items():
        lines.append(f"## {heading}")
        for question in questions:
            answer = ANSWERS.get(question)
            lines += [f"**{question}**", answer(report) if answer else OWNER]
    return "\n\n".join(lines) + "\n"


def _named(report: dict[str, Any]) -> str:
    return visible_line(report["input"]["name"]).replace("`", "'")


def _count(report: dict[str, Any]) -> str:
    out, before = report["output"], report["input"]
    words = ", ".join(f"{name} {count:,}" for name, count in out["words_of_a_document"].items())
    return (
        f"{out['documents']:,} documents with {out['words']:,} words and {out['bytes']:,} bytes of text, left of "
        f"{before['documents']:,} documents with {before['words']:,} words and {before['bytes']:,} bytes. Words of a "
        f"document: {words}."
    )


def _sample(report: dict[str, Any]) -> str:
    share = report["output"]["documents"] / report["input"]["documents"]
    return (
        f"It is what filters left of `{_named(report)}`: {share:.2%} of its documents, not drawn by chance. Whether "
        f"that is itself a sample: {OWNER}"
    )


def _consists(report: dict[str, Any]) -> str:
    kept = report["settings"]["keep"]
    fields = f", and the fields {', '.join(kept)}" if kept else ""
    return (
        f"A text; and, as they were, not examined for personal information: the name of the file and the line that it "
        f"is from{fields}."
    )


def _missing(report: dict[str, Any]) -> str:
    left = [f"{name} ({count:,})" for name, count in report["fields"].items() if name not in report["settings"]["keep"]]
    replaced = sum(report["personal"].values())
    fields = f"Left out were the fields {', '.join(left)}." if left else "No field was left out."
    return f"{fields} {replaced:,} pieces of personal information were replaced before duplicates were taken out."


def _noise(report: dict[str, Any]) -> str:
    taken = [f"{entry['name']} {entry['documents']:,}" for entry in report["filters"]]
    near = report["duplicates"]
    left = (
        f"Of pairs with a likeness of {near['threshold']:g}, {1 - near['chance_at_threshold']:.2%} are expected to be "
        "left, of more alike ones fewer (computed from the bands, not measured)."
        if "curve" in near
        else f"Duplicates that were looked for: {near['looked_for']}."
    )
    return f"Taken out: {', '.join(taken) or 'nothing'}. {left} Other errors: {OWNER}"


def _individuals(report: dict[str, Any]) -> str:
    if not report["settings"]["personal"]:
        return f"Nothing was done against it. {OWNER}"
    found = [f"{kind} {count:,}" for kind, count in report["personal"].items()]
    wanted = ", ".join(report["settings"]["personal"])
    way = "rules and a tagger of names" if report["settings"]["name_tagger"] else "rules"
    return (
        f"Found by {way} and replaced: {', '.join(found) or 'nothing'}. Looked for: {wanted}. "
        "What they do not know is still there, and what remains may in combination point to one person. "
        f"Whether it does: {OWNER}"
    )


def _processing(report: dict[str, Any]) -> str:
    settings = report["settings"]
    asked = [
        f"{len(report['rules'])} rules of quality ({settings['rules']})" if report["rules"] else "",
        f"languages: {', '.join(settings['language'])}" if settings["language"] else "",
        f"a classifier, below {settings['min_quality']:g}" if "classifier" in report else "",
        f"documents that hold others, of {report['compared_with']['documents']:,}" if settings["against"] else "",
        f"duplicates: {settings['duplicates']}" if settings["duplicates"] != "none" else "",
        f"personal information: {settings['how']}" if settings["personal"] else "",
    ]
    return f"{'; '.join(filter(None, asked)) or 'Nothing'}. Line ends were made equal. See `report.md`."


def _raw(report: dict[str, Any]) -> str:
    files = report["input"]["files"]
    return (
        f"The cleaning changed nothing of its input: {len(files):,} files, {sum(file['bytes'] for file in files):,} "
        f"bytes, whose SHA-256 are in `report.json`. Where they are kept: {OWNER}"
    )


def _software(report: dict[str, Any]) -> str:
    return f"minigpt {report['minigpt']}, `minigpt corpus clean`, with the settings in `report.json`."


def _uses(report: dict[str, Any]) -> str:
    most = report["filters"][0] if report["filters"] else None
    if most is None:
        return f"No filter took anything. {OWNER}"
    share = most["documents"] / report["input"]["documents"]
    return (
        f"Filters favour some texts over others: the one that took most, {most['name']}, took {share:.2%} of the "
        f"documents (examples in `report.md`). What that means for a use: {OWNER}"
    )


ANSWERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "How many instances are there in total?": _count,
    "Does the dataset contain all possible instances or is it a sample of instances from a larger set?": _sample,
    "What data does each instance consist of?": _consists,
    "Is any information missing from individual instances?": _missing,
    "Are there any errors, sources of noise, or redundancies in the dataset?": _noise,
    "Is it possible to identify individuals, either directly or indirectly, from the dataset?": _individuals,
    "Was any preprocessing/cleaning/labeling of the data done?": _processing,
    'Was the "raw" data saved in addition to the preprocessed/cleaned/labeled data?': _raw,
    "Is the software that was used to preprocess/clean/label the data available?": _software,
    "Is there anything about the composition of the dataset or the way it was collected and "
    "preprocessed/cleaned/labeled that might impact future uses?": _uses,
}
