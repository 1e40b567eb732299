"""Published datasets: versions that never change, and for each dataset a pointer to its current version.

datasets/<name>/<version>/...           the parts, then manifest.json, without which readers ignore the version
datasets/<name>/current/000001.json     written by exclusive create; the highest number is the current version
"""

from pathlib import Path

from infra.lake.file_store import FileStore
from schemas.errors import BadInput
from schemas.receipts import Manifest


class Datasets:
    """The published datasets of one lake, by name and version."""

    def __init__(self, files: FileStore) -> None:
        self._files = files

    def names(self) -> list[str]:
        """Names of the datasets that have a current version."""
        paths = self._files.list_paths("datasets")
        return sorted({p.split("/")[1] for p in paths if p.split("/")[2:3] == ["current"]})

    def write_part(self, dataset: str, version: str, name: str, data: bytes) -> bytes:
        """Write one published file, which is invisible until its manifest exists. Returns the bytes that are stored.

        These may differ from `data` in measured columns: a file that a crashed publication left behind is kept.
        """
        path = f"datasets/{dataset}/{version}/{name}"
        return data if self._files.write(path, data) else self._files.read_existing(path)

    def publish(self, manifest: Manifest) -> Manifest:
        """Write the manifest and make it the current version. A manifest of equal rows that exists is kept and
        returned."""
        path = _manifest_path(manifest.dataset, manifest.version)
        self._files.write(path, manifest.model_dump_json(indent=1).encode())
        self.set_current(manifest.dataset, manifest.version)
        published = self.read_manifest(manifest.dataset, manifest.version)
        assert published is not None, f"{path} was there a moment ago"
        return published

    def read_manifest(self, dataset: str, version: str | None = None) -> Manifest | None:
        """The manifest of `version`, by default the current one; None if it is not published."""
        version = version or self.current_version(dataset)
        return self._files.read_record(Manifest, _manifest_path(dataset, version)) if version else None

    def current_version(self, dataset: str) -> str | None:
        """The version that readers see; None if nothing is published."""
        pointers = self._pointer_paths(dataset)
        return self._files.read_existing(pointers[-1]).decode() if pointers else None

    def version_history(self, dataset: str) -> list[str]:
        """The versions that have been current, oldest first."""
        return [self._files.read_existing(p).decode() for p in self._pointer_paths(dataset)]

    def set_current(self, dataset: str, version: str) -> None:
        """Make `version` the current one; this can also roll back. Raises `BadInput` if the version does not exist.

        If two processes do this at once, the higher number wins. There is no retry after a successful write.
        """
        if self._files.read(_manifest_path(dataset, version)) is None:
            known = ", ".join(dict.fromkeys(self.version_history(dataset))) or "none"
            raise BadInput(f"dataset {dataset!r} has no version {version!r}; published: {known}")
        while self.current_version(dataset) != version:
            number = 1 + max((int(Path(p).stem) for p in self._pointer_paths(dataset)), default=0)
            if self._files.write(f"datasets/{dataset}/current/{number:06}.json", version.encode()):
                return

    def _pointer_paths(self, dataset: str) -> list[str]:
        """Paths of the pointer files, oldest first. Numbers may be missing if a file was lost."""
        return [p for p in self._files.list_paths(f"datasets/{dataset}/current") if Path(p).stem.isdigit()]


def _manifest_path(dataset: str, version: str) -> str:
    return f"datasets/{dataset}/{version}/manifest.json"
