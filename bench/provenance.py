"""Where a number comes from: this machine, this code, these packages."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import socket
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlparse

from earmark.bench import registry, rows, store

PACKAGES = (
    "datasets",
    "espeakng-loader",
    "jiwer",
    "lightning-fabric",
    "numpy",
    "pocketsphinx",
    "scipy",
    "sentencepiece",
    "soundfile",
    "torch",
    "torchaudio",
)
_ROOT = Path(__file__).resolve().parent
_OBSERVING = (
    "observe", "clock.py", "tables.py", "executors/worker.py", "corpora/audio.py", "corpora/conditions.py",
    "corpora/conversations/arrangement.py", "corpora/schema.py", "metrics/conversation.py",
)  # fmt: skip
_DRAWING = (
    "worlds/power.py", "worlds/world.py", "executors/drawing.py", "metrics/gaps.py", "metrics/simultaneous.py",
    "metrics/standing.py", "metrics/resampling.py",
)  # fmt: skip
_DECODING = ("numpy", "scipy", "soundfile")
_TRAINING = (
    "training", "tokenizer.py", "executors/teaching.py", "observe/selection.py", "metrics/conversation.py",
    "metrics/normalize.py", "metrics/words.py", "corpora/audio.py", "corpora/conditions.py", "corpora/conversations",
    "corpora/schema.py", "corpora/silence.py", "corpora/splits.py", "corpora/voices.py", "corpora/synthetic",
    "corpora/synthetic/voices.json",
)  # fmt: skip
_SCORING = ("score", "metrics", "clock.py")
_COUNTING = ("jiwer", "meeteval", "numpy", "rapidfuzz", "scikit-learn", "scipy", "statsmodels")
_LEARNING = (*_DECODING, "espeakng-loader", "lightning-fabric", "sentencepiece", "torchaudio")


@dataclass(frozen=True, slots=True)
class Code:
    """The commit that this code is, where that can be said."""

    sha: str | None
    dirty: bool | None


def code() -> Code:
    """Commit of the checkout that this code runs from or was installed from.

    An installed copy counts as its checkout's commit only while its files are the same as the checkout's.
    """
    for tree in (_ROOT.parent, _installed_from()):
        if tree is None or not (tree / "pyproject.toml").is_file() or not (tree / "bench" / "api.py").is_file():
            continue
        sha = _git(tree, "rev-parse", "HEAD")
        if sha and _same_code(tree):
            return Code(sha, bool(_git(tree, "status", "--porcelain", "--", "bench", "models", "fairness", "src")))
    return Code(None, None)


def host() -> rows.Host:
    """This machine. ``id`` is a digest, so that no host name is published."""
    gpu, driver, cuda = _gpu()
    return rows.Host(
        id=hashlib.sha256(_machine_name().encode()).hexdigest()[:12],
        cpu_model=_cpu_model(),
        n_cpus=os.cpu_count() or 1,
        memory_mib=memory_mib(),
        gpu_model=gpu,
        driver=driver,
        cuda=cuda,
    )


def memory_mib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)


def environment(threads: int) -> rows.Environment:
    """The state of the machine as a run starts."""
    affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return rows.Environment(threads=threads, governor=_governor(), affinity=affinity, load_start=os.getloadavg()[0])


def cpu_times() -> tuple[int, int]:
    """Jiffies stolen by the hypervisor and jiffies in all, since boot; zeros where the system does not tell."""
    try:
        counts = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    except (OSError, ValueError, IndexError):
        return 0, 0
    return (counts[7] if len(counts) > 7 else 0), sum(counts[:8])


def packages() -> dict[str, str]:
    """Versions of the packages that results depend on, as far as they are installed."""
    return {name: version for name in PACKAGES if (version := _version(name)) is not None}


def plugin_digest(plugin: registry.Plugin) -> str:
    """Digest of what decides a plugin's output: its files, the shared blocks, and the packages that it requires.

    A card only tells: written over, it makes no other model.
    """
    files = [path for path in registry.folder_of(plugin) if path.suffix != ".md"]
    own = store.tree_digest(files, Path(os.path.commonpath([str(path.parent) for path in files])))
    blocks = sorted((_ROOT.parent / "models" / "_blocks").rglob("*.py"))
    shared = store.tree_digest(blocks, _ROOT.parent)
    required = [[name, _version(name)] for name in plugin.spec.requires]
    return hashlib.sha256(json.dumps([own, shared, required, plugin.version, _version("torch")]).encode()).hexdigest()[
        :16
    ]


def harness_digest() -> str:
    """Digest of the code, and the packages below it, that turn a model and a recording into observations."""
    return _code_digest(_OBSERVING, _DECODING)


def training_digest() -> str:
    """Digest of the code, and the packages below it, that turn a model and a corpus into a checkpoint."""
    return _code_digest(_TRAINING, _LEARNING)


def scoring_digest() -> str:
    """Digest of the code, and the packages below it, that turn observations into measurements."""
    return _code_digest(_SCORING, _COUNTING)


def worlds_digest() -> str:
    """Digest of the code, and the packages below it, that draw worlds without audio and judge finders in them."""
    return _code_digest(_DRAWING, ("numpy", "scipy"))


def _code_digest(names: Sequence[str], distributions: Sequence[str]) -> str:
    paths = [_ROOT / name for name in names]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))]
    below = [[name, _version(name)] for name in distributions]
    return hashlib.sha256(json.dumps([store.tree_digest(files, _ROOT), below]).encode()).hexdigest()[:16]


def _machine_name() -> str:
    """Something that stays the same for this machine: its machine id, else its name."""
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        if path.is_file() and (text := path.read_text().strip()):
            return text
    return socket.gethostname()


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _governor() -> str | None:
    path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return path.read_text().strip() if path.is_file() else None


def _gpu() -> tuple[str | None, str | None, str | None]:
    """Model, driver and CUDA version of the first NVIDIA device, asked of its own tool so that torch stays unloaded."""
    text = _output(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    if not text:
        return None, None, None
    name, _, driver = text.splitlines()[0].partition(",")
    header = _output(["nvidia-smi"]) or ""
    cuda = header.partition("CUDA Version:")[2].split("|")[0].strip() or None
    return name.strip(), driver.strip() or None, cuda


def _installed_from() -> Path | None:
    """The folder that pip installed us from, where it was one."""
    try:
        text = metadata.distribution("earmark").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    url = urlparse(json.loads(text)["url"]) if text else None
    return Path(unquote(url.path)) if url and url.scheme == "file" else None


def _same_code(tree: Path) -> bool:
    if (tree / "bench").resolve() == _ROOT:
        return True
    return _python_digest(tree / "bench") == _python_digest(_ROOT)


def _python_digest(folder: Path) -> str:
    files: Iterable[Path] = (p for p in folder.rglob("*.py") if p.relative_to(folder).parts[0] != "speed")
    return store.tree_digest(list(files), folder)


def _git(tree: Path, *arguments: str) -> str | None:
    return _output(["git", "-C", str(tree), *arguments])


def _output(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
