"""Trained models in the lake: folders named by their content, copied to a local disk before they are loaded.

    models/<digest>/safetensors/...     weights and tokenizer, for vLLM and for further training
    models/<digest>/int8/...            the same model for the embedded engine, if it was exported

Like objects, they are written before the receipt that names them.
"""

import hashlib
import os
import shutil
import uuid
from pathlib import Path

import fsspec

from infra import engines
from infra.engines.common.digest import hash_file
from infra.lake.exclusive_create import flush_folder
from infra.lake.store import Store, open_store
from schemas.engine_specs import EmbeddedSpec, EngineSpec, VllmSpec
from schemas.errors import QuestmillError
from schemas.receipts import Receipt

FORMATS = {"embedded": "int8", "vllm": "safetensors", "regressor": "safetensors"}
"""The format of a model that each kind of engine loads."""
_TRAINABLE_KINDS = " or ".join(FORMATS)


def upload(store: Store, folder: Path) -> dict[str, str]:
    """Copy a model into the lake. Returns its path there as `model`, and the content digest of each format."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder)} {hash_file(path)}\n" for path in files]
    target = f"models/{hashlib.sha256(''.join(lines).encode()).hexdigest()}"
    for path in files:
        _copy_to_lake(store, path, f"{target}/{path.relative_to(folder)}")
    details = {"model": target, "safetensors": model_digest(folder / "safetensors")}
    if (folder / "int8").is_dir():
        details["int8"] = model_digest(folder / "int8")
    return details


def model_digest(format_folder: Path) -> str:
    """The content digest of one format of a model, as its engine computes it. Raises `ValueError` if it is not a
    model."""
    spec: EngineSpec = (
        EmbeddedSpec(path=str(format_folder))
        if format_folder.name == "int8"
        else VllmSpec(kind="vllm", path=str(format_folder))
    )
    return str(engines.pin_model(spec).model_dump()["digest"])


def format_of(spec: EngineSpec) -> str:
    """The format of a model that the engine of `spec` loads. Raises `ValueError` if it cannot load a trained model."""
    if spec.kind not in FORMATS:
        raise ValueError(
            f"an engine of kind {spec.kind!r} cannot load a model that was trained here; name one of {_TRAINABLE_KINDS}"
        )
    return FORMATS[spec.kind]


def spec_for_trained(receipt: Receipt, spec: EngineSpec, lake: str) -> EngineSpec:
    """`spec` with a trained model in place of its own. Raises `ValueError` if its engine cannot load the model."""
    if (model_format := format_of(spec)) not in receipt.details:
        raise ValueError(
            f"the model of {receipt.step} has no {model_format}/, because the model that it was trained from has none"
        )
    place = {
        "path": open_store(lake).locate(f"{receipt.details['model']}/{model_format}"),
        "digest": receipt.details[model_format],
    }
    hub = {"model": "", "revision": ""} if spec.kind == "vllm" else {}
    return spec.model_copy(update=place | hub)


def with_local_model(spec: EngineSpec) -> EngineSpec:
    """`spec` with its model on this machine. A model in a remote lake is fetched, once for each machine."""
    path = str(getattr(spec, "path", ""))
    if "://" not in path:
        return spec
    root, _, model_format = path.rpartition("/")
    return spec.model_copy(update={"path": str(fetch_model(root) / model_format)})


def fetch_base(spec: EngineSpec) -> Path:
    """The folder of safetensors to train from. Raises `ValueError` if the engine of `spec` has none."""
    check_base(spec)
    if spec.kind == "vllm" and spec.model:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(spec.model, revision=spec.revision or None))
    return _find_weights(with_local_model(spec))


def check_base(spec: EngineSpec) -> None:
    """Raise `ValueError` if `spec` has no weights to train from, as far as this is known without a download."""
    if spec.kind not in FORMATS:
        raise ValueError(
            f"an engine of kind {spec.kind!r} has no weights to train from; name one of {_TRAINABLE_KINDS}"
        )
    path = str(getattr(spec, "path", ""))
    if path and "://" not in path:
        _find_weights(spec)


def _find_weights(spec: EngineSpec) -> Path:
    folder = Path(str(spec.model_dump()["path"]))
    folder = folder.parent / "safetensors" if spec.kind == "embedded" else folder
    if not any(folder.glob("*.safetensors")):
        raise ValueError(
            f"no weights to train from in {folder}; put the model's safetensors and tokenizer there, or start from "
            "another role's model (--questioner.base)"
        )
    return folder


def fetch_model(url: str) -> Path:
    """The local copy of a model in a remote lake. It is downloaded under another name first, so it is never partial."""
    target = cache_dir() / "models" / url.rpartition("/")[2]
    if target.is_dir():
        return target
    temporary = target.with_name(f".tmp-{uuid.uuid4().hex}")
    _copy_from_lake(url, temporary)
    try:
        temporary.rename(target)
    except OSError:  # another process was first
        shutil.rmtree(temporary)
    return target


def download(receipt: Receipt, lake: str, folder: Path) -> None:
    """Copy a trained model from a lake to `folder`. Files of the same names are replaced."""
    _copy_from_lake(open_store(lake).locate(receipt.details["model"]), folder)


def _copy_from_lake(url: str, folder: Path) -> None:
    fs, root = fsspec.core.url_to_fs(url)
    files = fs.find(root)
    if not files:
        raise QuestmillError(f"model {url} is missing; restore it, or delete the receipt that names it and run again")
    for path in files:
        local = folder / str(path)[len(str(root).rstrip("/")) + 1 :]
        local.parent.mkdir(parents=True, exist_ok=True)
        fs.get_file(path, str(local))


def cache_dir() -> Path:
    """The folder of downloaded models: `QUESTMILL_CACHE`, or `~/.cache/questmill`."""
    return Path(os.environ.get("QUESTMILL_CACHE") or Path.home() / ".cache" / "questmill")


def _copy_to_lake(store: Store, source: Path, path: str) -> None:
    """Copy one file, unless it exists with the same size. A crash leaves a file of another size or another name."""
    target = store.locate(path)
    if store.fs.exists(target) and store.fs.size(target) == source.stat().st_size:
        return
    if not store.is_local:
        store.fs.put_file(str(source), target)
        return
    destination = Path(target)
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = destination.with_name(f".tmp-{uuid.uuid4().hex}")
    with source.open("rb") as read, temporary.open("xb") as write:
        shutil.copyfileobj(read, write, 2**20)
        write.flush()
        os.fsync(write.fileno())
    temporary.rename(destination)
    flush_folder(destination.parent)
