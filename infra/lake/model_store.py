"""Models in the lake: folders named by their content; whoever loads one has it on a disk of its own first.

    models/<digest>/safetensors/...     weights and tokeniser: vLLM, further training
    models/<digest>/int8/...            the same for the embedded engine, where it is wanted

They are written before the receipt that names them, as objects are.
"""

import hashlib
import os
import shutil
import uuid
from pathlib import Path

import fsspec

from infra import engines
from infra.lake.store import Store, flush_folder, open_store
from schemas.engine_specs import EmbeddedSpec, Spec, VllmSpec
from schemas.errors import QuestmillError
from schemas.receipts import Receipt

FORMS = {"embedded": "int8", "vllm": "safetensors", "regressor": "safetensors"}
"""What each kind of engine loads."""
_ABLE = " or ".join(FORMS)


def put(store: Store, folder: Path) -> dict[str, str]:
    """Copy a model into the lake; returns its place there as `model`, and the content digest of each of its forms."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder)} {_digest(path)}\n" for path in files]
    target = f"models/{hashlib.sha256(''.join(lines).encode()).hexdigest()}"
    for path in files:
        _copy(store, path, f"{target}/{path.relative_to(folder)}")
    told = {"model": target, "safetensors": content(folder / "safetensors")}
    if (folder / "int8").is_dir():
        told["int8"] = content(folder / "int8")
    return told


def content(form: Path) -> str:
    """The digest by which the engine that loads this form of a model knows it. Raises ValueError where it is none."""
    spec: Spec = EmbeddedSpec(path=str(form)) if form.name == "int8" else VllmSpec(kind="vllm", path=str(form))
    return str(engines.pin(spec).model_dump()["digest"])


def form_of(spec: Spec) -> str:
    """The form of a model that the engine of `spec` loads; raises ValueError where it loads none."""
    if spec.kind not in FORMS:
        raise ValueError(
            f"an engine of kind {spec.kind!r} cannot load a model that was trained here; name one of {_ABLE}"
        )
    return FORMS[spec.kind]


def played(made: Receipt, spec: Spec, lake: str) -> Spec:
    """`spec` with a trained model instead of its own. Raises ValueError where its engine cannot load one."""
    if (form := form_of(spec)) not in made.detail:
        raise ValueError(f"the model of {made.step} has no {form}/, for the one it was trained from had none beside it")
    place = {"path": open_store(lake).locate(f"{made.detail['model']}/{form}"), "digest": made.detail[form]}
    hub = {"model": "", "revision": ""} if spec.kind == "vllm" else {}
    return spec.model_copy(update=place | hub)


def here(spec: Spec) -> Spec:
    """The same spec with its model on this machine: one that lies in a remote lake is fetched, once a machine."""
    path = str(getattr(spec, "path", ""))
    if "://" not in path:
        return spec
    root, _, form = path.rpartition("/")
    return spec.model_copy(update={"path": str(fetch(root) / form)})


def base(spec: Spec) -> Path:
    """The folder of safetensors to train from; raises ValueError where the engine of `spec` has none."""
    check_base(spec)
    if spec.kind == "vllm" and spec.model:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(spec.model, revision=spec.revision or None))
    return _weights(here(spec))


def check_base(spec: Spec) -> None:
    """Raises ValueError where `spec` has no weights to train from, as far as that is known without fetching any."""
    if spec.kind not in FORMS:
        raise ValueError(f"an engine of kind {spec.kind!r} has no weights to train from; name one of {_ABLE}")
    path = str(getattr(spec, "path", ""))
    if path and "://" not in path:
        _weights(spec)


def _weights(spec: Spec) -> Path:
    folder = Path(str(spec.model_dump()["path"]))
    folder = folder.parent / "safetensors" if spec.kind == "embedded" else folder
    if not any(folder.glob("*.safetensors")):
        raise ValueError(
            f"no weights to train from in {folder}; put the model's safetensors and tokeniser there, or begin with "
            "another role's model (--questioner.base)"
        )
    return folder


def fetch(url: str) -> Path:
    """The folder of a model of a remote lake, on this machine; it appears there whole."""
    target = cache() / "models" / url.rpartition("/")[2]
    if target.is_dir():
        return target
    part = target.with_name(f".tmp-{uuid.uuid4().hex}")
    _download(url, part)
    try:
        part.rename(target)
    except OSError:  # another process was first
        shutil.rmtree(part)
    return target


def keep(made: Receipt, lake: str, folder: Path) -> None:
    """Copy a trained model out of a lake; files of the same names are replaced."""
    _download(open_store(lake).locate(made.detail["model"]), folder)


def _download(url: str, folder: Path) -> None:
    fs, root = fsspec.core.url_to_fs(url)
    files = fs.find(root)
    if not files:
        raise QuestmillError(f"model {url} is missing; restore it, or delete the receipt that names it and run again")
    for path in files:
        local = folder / str(path)[len(str(root).rstrip("/")) + 1 :]
        local.parent.mkdir(parents=True, exist_ok=True)
        fs.get_file(path, str(local))


def cache() -> Path:
    """Where this machine keeps what it fetched: `QUESTMILL_CACHE`, or `~/.cache/questmill`."""
    return Path(os.environ.get("QUESTMILL_CACHE") or Path.home() / ".cache" / "questmill")


def _copy(store: Store, source: Path, path: str) -> None:
    """Copy one file, unless it is there. Half of one, left by a crash, has another size or a name of its own."""
    target = store.locate(path)
    if store.fs.exists(target) and store.fs.size(target) == source.stat().st_size:
        return
    if not store.is_local:
        store.fs.put_file(str(source), target)
        return
    there = Path(target)
    there.parent.mkdir(parents=True, exist_ok=True)
    part = there.with_name(f".tmp-{uuid.uuid4().hex}")
    with source.open("rb") as read, part.open("xb") as write:
        shutil.copyfileobj(read, write, 2**20)
        write.flush()
        os.fsync(write.fileno())
    part.rename(there)
    flush_folder(there.parent)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
