"""The library's pages, from its public docstrings: what `import minigpt` offers, then the folders' own names."""

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import minigpt
from minigpt.files import write_text

HEADING = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)
SECTION = re.compile(r"\*\*\w[\w ]*\*\*")
ITEM = re.compile(r"^(?:\*{0,2}\w[\w, *]*)(?: : .*)?$")

INDEX = """# The library

What `import minigpt` offers, and the folders with the rest, each from its own docstrings.

```{{toctree}}
:maxdepth: 1

{pages}
```
"""


def public_modules() -> list[ModuleType]:
    """The package, then those of its folders that say with `__all__` what they offer."""
    root = Path(minigpt.__file__).parent
    names = sorted(path.parent.name for path in root.glob("*/__init__.py"))
    modules = [importlib.import_module(f"minigpt.{name}") for name in names]
    return [minigpt, *(module for module in modules if offered(module))]


def offered(module: ModuleType) -> list[str]:
    """The public names of a module in alphabetical order, without modules."""
    names = getattr(module, "__all__", None) or operations(module)
    return sorted(
        (name for name in names if not inspect.ismodule(getattr(module, name))), key=str.lower
    )


def operations(module: ModuleType) -> list[str]:
    """Of a folder without `__all__`: the functions and classes that it imports from its own files."""
    own = f"{module.__name__}."
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith(own)
    ]


def write_api(folder: Path) -> None:
    """A page for each module, and one that lists them."""
    folder.mkdir()
    modules = public_modules()
    for module in modules:
        write_text(folder / f"{module.__name__}.md", module_page(module))
    write_text(
        folder / "index.md", INDEX.format(pages="\n".join(module.__name__ for module in modules))
    )


def module_page(module: ModuleType) -> str:
    """The module's docstring, then every name under its own heading."""
    parts = [f"# {module.__name__}", as_markdown(inspect.getdoc(module) or "")]
    for name in offered(module):
        parts.append(entry(module, name))
    return "\n\n".join(parts) + "\n"


def entry(module: ModuleType, name: str) -> str:
    """One name: how it is called, and what it says of itself; of a class also its public methods."""
    value = getattr(module, name)
    place = (
        f"*from* `{value.__module__}`"
        if getattr(value, "__module__", module.__name__) != module.__name__
        else ""
    )
    parts = [f"## {name}", place]
    if not (inspect.isfunction(value) or inspect.isclass(value)):
        return "\n\n".join([*parts, f"A value of type `{type(value).__name__}`."])
    parts += [signature(name, value), as_markdown(inspect.getdoc(value) or "")]
    if inspect.isclass(value) and value.__module__.startswith("minigpt"):
        for method, function in vars(value).items():
            function = getattr(function, "__func__", function)
            if (
                inspect.isfunction(function)
                and not method.startswith("_")
                and inspect.getdoc(function)
            ):
                parts += [
                    f"### {name}.{method}",
                    signature(method, function),
                    as_markdown(inspect.getdoc(function) or ""),
                ]
    return "\n\n".join(part for part in parts if part)


def signature(name: str, value: Any) -> str:
    """`name(arguments)` as Python, one argument a line where they are long."""
    try:
        known = inspect.signature(value)
    except (ValueError, TypeError):
        return ""
    text = re.sub(r" at 0x[0-9a-f]+", "", f"{name}{known}")
    if len(text) > 90:
        arguments = [re.sub(r" at 0x[0-9a-f]+", "", str(one)) for one in known.parameters.values()]
        text = f"{name}(\n    " + ",\n    ".join(arguments) + f"\n){str(known).rpartition(')')[2]}"
    return f"```text\n{text}\n```"


def as_markdown(docstring: str) -> str:
    """A docstring's paragraphs, sections, lists, examples and indented lines."""
    docstring = HEADING.sub(r"**\1**\n", docstring)
    return "\n\n".join(block(part) for part in re.split(r"\n\s*\n", docstring) if part.strip())


def block(text: str) -> str:
    """One paragraph: an example as code, `name : type` with its lines as an item, prose as prose."""
    lines = text.splitlines()
    if SECTION.fullmatch(text.strip()):
        return text
    if lines[0].lstrip().startswith(">>>"):
        return "```python\n" + text + "\n```"
    if lines[0].startswith("    "):
        return "```text\n" + text + "\n```"
    if not any(line.startswith("    ") for line in lines):
        return prose(" \n".join(lines) if ":" in lines[0] and len(lines) > 1 else "\n".join(lines))
    items: list[str] = []
    for line in lines:
        if line.startswith("    ") and items:
            items[-1] += " " + prose(line.strip())
        elif ITEM.match(line) and not line.endswith("."):
            items.append(f"- `{line}`:")
        else:
            items.append(prose(line))
    return "\n".join(items)


def prose(text: str) -> str:
    """Text in which only what stands between backticks is markup."""
    parts = re.split(r"(`+[^`]+`+)", text)
    return "".join(
        part if i % 2 else re.sub(r"([*_<>$\[\]#|\\])", r"\\\1", part)
        for i, part in enumerate(parts)
    )
