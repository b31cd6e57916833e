"""Is everything sound: a run, what was fetched, the installation, the machine? And if not, what to do about it."""

import importlib.metadata
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from minigpt.errors import UserError
from minigpt.files import PART
from minigpt.machine import available_memory
from minigpt.model import TransformerConfig
from minigpt.text import CORPORA
from minigpt.text.fetch import PACKAGES, cache_folder, is_kept, package_folder
from minigpt.train import RunFolder, has_run, open_folder, read_metrics, steps_done
from minigpt.train.checkpoint import check_config, checkpoint_header, verify_tensors
from minigpt.train.lock import NAME, holder, is_locked
from minigpt.train.shards import shards_step, verify_shards
from minigpt.vision import ImageFolder, has_images, open_image_folder
from minigpt.vision.asking import questions_of
from minigpt.vision.run import FILE, SEEN_PARTS

LEAST_MEMORY, LEAST_DISK = 500e6, 1e9  # bytes
REQUIREMENT = re.compile(r"([\w.-]+)\s*(?:>=\s*([\d.]+))?")
SECONDS = 30  # for MPI to start


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    sound: bool
    said: str
    remedy: str = ""  # what to do if it is not sound

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def text(self) -> str:
        """A line for people; two if there is something to do."""
        line = f"{'ok' if self.sound else 'NOT OK':6}  {self.what:22}  {self.said}"
        return line if self.sound else f"{line}\n        {'':22}  -> {self.remedy}"


def examine(run: str | Path | None = None) -> Iterator[Finding]:
    """All findings, one by one: of the run, if one is named, then of the cache, the installation and the machine."""
    if run is not None:
        yield from examine_run(Path(run))
    yield from examine_cache()
    yield from examine_installation()
    yield from examine_machine(Path(run) if run is not None else Path())


def examine_run(path: Path) -> Iterator[Finding]:
    """run.json or images.json, tokenizer, tokens or images, checkpoints, metrics, lock. Nothing is changed."""
    again = "restore the file from a copy, or train again"
    opened: Callable[[Path], RunFolder] = open_image_folder if has_images(path) else open_folder
    found, folder = _try(FILE if has_images(path) else "run.json", lambda: _described(opened(path)), again)
    yield found
    if folder is None:
        return
    run = opened(path)
    if not isinstance(run, ImageFolder) or run.task == "ask":
        yield _try("tokenizer.json", lambda: f"{run.tokenizer().vocabulary_size:,} tokens, as the model has", again)[0]
    if isinstance(run, ImageFolder):
        for part in (*SEEN_PARTS, "test"):
            yield _try(f"{part}.npy", partial(_images, run, part), again)[0]
    else:
        for part in SEEN_PARTS:
            yield _try(f"{part}.npy", partial(_tokens, run, part), again)[0]
    there = [which for which in ("last", "best") if run.has_checkpoint(which)]
    remedy = "remove it; training goes on from the other one" if len(there) == 2 else again
    for which in there:
        yield _try(f"checkpoint {which}", partial(_checkpoint, run, which), remedy)[0]
    if not there:
        yield Finding("checkpoints", True, "none yet: training begins at step 0")
    if run.file("metrics.csv").exists():
        yield _try("metrics.csv", partial(_metrics, run), "move it away; training begins a new one")[0]
    yield _lock(path)


def examine_cache() -> Iterator[Finding]:
    """What was fetched."""
    packages = [*PACKAGES.values(), *(source.package for source in CORPORA.values() if source.package is not None)]
    for package in packages:
        folder = package_folder(package)
        if not folder.exists():
            yield Finding(package.name, True, "not fetched; it will be when it is asked for")
            continue
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        kept = is_kept(package)
        said = (
            f"{len(sizes)} files, {sum(sizes) / 1e6:.1f} MB, {'as they were' if kept else 'not as they were'} unpacked"
        )
        yield Finding(package.name, kept, said, f"remove {folder}; it is fetched again when it is asked for")


def examine_installation() -> Iterator[Finding]:
    """Versions beside what minigpt asks for, the matrix products, MPI."""
    for name, least in required_versions():
        if name == "python":
            here: str | None = platform.python_version()
        else:
            here = _version(name)
        sound = here is not None and _numbers(here) >= _numbers(least)
        said = f"{here or 'not installed'}, at least {least or 'any'} is needed"
        yield Finding(
            name, sound, said, f"pip install --upgrade {name!r}" if name != "python" else "install a newer one"
        )
    yield _blas()
    yield _mpi()


def examine_machine(folder: Path) -> Iterator[Finding]:
    """Memory, and the disks of the folder and of the cache."""
    free = available_memory()
    said = "not known here" if free is None else f"{free / 1e9:.1f} GB free"
    yield Finding("memory", free is None or free >= LEAST_MEMORY, said, "end other programs, or choose a smaller model")
    for what, place in (("disk", folder), ("disk of the cache", cache_folder())):
        while not place.exists():
            place = place.absolute().parent
        left = shutil.disk_usage(place).free
        yield Finding(what, left >= LEAST_DISK, f"{left / 1e9:.1f} GB free at {place.absolute()}", "free some space")


def required_versions() -> list[tuple[str, str]]:
    """(name, least version) of Python and of what minigpt needs, as setup.cfg says; "" where any will do."""
    try:
        metadata = importlib.metadata.metadata("minigpt")
        python, lines = metadata["Requires-Python"] or "", metadata.get_all("Requires-Dist") or []
    except importlib.metadata.PackageNotFoundError:
        python, lines = _from_setup_cfg()
    needed = [line for line in lines if "extra ==" not in line]
    pairs = [match.groups(default="") for line in needed if (match := REQUIREMENT.match(line.strip()))]
    return [("python", python.lstrip(">= ")), *((name, least) for name, least in pairs)]


def _from_setup_cfg() -> tuple[str, list[str]]:
    """Of a source tree that is not installed."""
    import configparser

    parser = configparser.ConfigParser()
    parser.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf-8")
    options = dict(parser["options"]) if parser.has_section("options") else {}
    return options.get("python_requires", ""), options.get("install_requires", "").split()


def _try(what: str, look: Callable[[], str], remedy: str) -> tuple[Finding, str | None]:
    """What look() says, or the error that it ends with."""
    try:
        said = look()
    except (UserError, OSError, KeyError, TypeError, ValueError) as error:
        return Finding(what, False, str(error), remedy), None
    return Finding(what, True, said), said


def _described(run: RunFolder) -> str:
    step, steps = steps_done(run), run.settings.steps
    kind = f"{run.config.architecture} of width {run.config.width}{_reach(run.config)}"
    asked = run.task if isinstance(run, ImageFolder) else run.objective
    return f"{asked}, {kind}, step {step:,} of {steps:,}"


def _reach(config: TransformerConfig) -> str:
    """How far a position sees and how it is told from others, where that is not as usual."""
    scaling = config.rotary_scaling
    said = {
        "ALiBi": config.position == "alibi",
        f"a window of {config.window}": config.window is not None,
        f"{config.sinks} sinks": config.sinks > 0,
        f"rotary scaling {scaling.kind}:{scaling.factor:g}" if scaling else "": scaling is not None,
    }
    return "".join(f", {words}" for words, so in said.items() if so)


def _tokens(run: RunFolder, part: str) -> str:
    checked = "" if part in run.corpus.get("checksums", {}) else ", without a checksum (an older version wrote it)"
    return f"{len(run.tokens(part)):,} tokens{checked}"


def _images(run: ImageFolder, part: str) -> str:
    count = len(run.pixels(part))
    asked = len(run.targets(part)) if run.task == "classify" else len(questions_of(run, part).questions)
    return f"{count:,} images, {asked:,} {'classes' if run.task == 'classify' else 'questions'} of them"


def _metrics(run: RunFolder) -> str:
    return f"{len(read_metrics(run.file('metrics.csv'))['loss']):,} rows"


def _checkpoint(run: RunFolder, which: str) -> str:
    """Read all of it. `UserError` where it is not sound."""
    said, path = [], run.checkpoint(which)
    if path.exists():
        header = checkpoint_header(path)
        check_config(path, header["config"], run.config)
        verify_tensors(path)
        checked = "" if "checksums" in header else ", without checksums (an older version wrote it)"
        said.append(f"step {header['progress']['step']:,}{checked}")
    if (step := shards_step(run.path, which)) >= 0:
        verify_shards(run.path, which)
        said.append(f"step {step:,}, written by many ranks")
    return "; ".join(said)


def _lock(path: Path) -> Finding:
    if is_locked(path):
        return Finding("lock", True, f"a training is at work there now{holder(path)}")
    left = [*path.glob(f".*{PART}"), *path.glob(NAME)]
    return Finding("lock", True, "free" + (", files of a killed training go when it is resumed" if left else ""))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def _blas() -> Finding:
    """Which library multiplies matrices, and whether it multiplies rightly."""
    libraries = [one for one in threadpool_info() if one.get("user_api") == "blas"]
    names = ", ".join(f"{one['internal_api']} {one['version']}, {one['num_threads']} threads" for one in libraries)
    a, b = np.random.default_rng(0).standard_normal((2, 150, 150)).astype(np.float32)
    right = np.allclose(a @ b, np.einsum("ij,jk->ik", a.astype(float), b.astype(float)), atol=1e-3)
    said = (names or "not known to threadpoolctl, so its threads cannot be set") + ("" if right else "; WRONG PRODUCTS")
    return Finding("matrix products", bool(right), said, "install NumPy anew: pip install --force-reinstall numpy")


def _mpi() -> Finding:
    if _version("mpi4py") is None:
        return Finding(
            "MPI", True, "not installed; `minigpt train` on many ranks needs it: pip install 'minigpt[mpi-laptop]'"
        )
    code = "from mpi4py import MPI; print(MPI.Get_library_version().split(chr(10))[0].strip(chr(0)))"
    remedy = "pip install 'minigpt[mpi-laptop]', or load the cluster's MPI before Python starts"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("MPI", False, f"mpi4py {_version('mpi4py')} does not start ({error})", remedy)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines() or ["it says nothing"]
    return Finding("MPI", done.returncode == 0, f"mpi4py {_version('mpi4py')}: {lines[-1][:100]}", remedy)


def is_run(path: str | Path) -> None:
    """`UserError` unless there is a folder with a run.json or images.json, whatever its state."""
    if not has_run(path) and not has_images(path):
        raise UserError(f"{path} is not the folder of a run (it has no run.json); name one that is")
