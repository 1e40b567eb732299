"""Published datasets: versions that never change, and the pointer of each dataset to its current one.

datasets/<name>/<version>/...       parts, then manifest.json; a reader needs the manifest
datasets/<name>/current/000001.json exclusive create; the highest number names the current version
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
        """Write one published file, invisible until its manifest is there; returns the bytes that are there.

        A publish that crashed may have left the same rows with other milliseconds: they stay.
        """
        path = f"datasets/{dataset}/{version}/{name}"
        return data if self._files.write(path, data) else self._files.read_existing(path)

    def publish(self, manifest: Manifest) -> Manifest:
        """Write the manifest and let `current_version` point at it; equal content that is published already stays."""
        path = _manifest_path(manifest.dataset, manifest.version)
        self._files.write(path, manifest.model_dump_json(indent=1).encode())
        self.set_current(manifest.dataset, manifest.version)
        published = self.read_manifest(manifest.dataset, manifest.version)
        assert published is not None, f"{path} was there a moment ago"
        return published

    def read_manifest(self, dataset: str, version: str | None = None) -> Manifest | None:
        """The manifest of `version`, or of the current one; None where nothing is published."""
        version = version or self.current_version(dataset)
        return self._files.read_record(Manifest, _manifest_path(dataset, version)) if version else None

    def current_version(self, dataset: str) -> str | None:
        """The version readers see."""
        pointers = self._pointer_paths(dataset)
        return self._files.read_existing(pointers[-1]).decode() if pointers else None

    def version_history(self, dataset: str) -> list[str]:
        """The versions that `current_version` has pointed at, oldest first."""
        return [self._files.read_existing(p).decode() for p in self._pointer_paths(dataset)]

    def set_current(self, dataset: str, version: str) -> None:
        """Let `current_version` point at `version`, also to roll back; raises `BadInput` for a version that is not
        there.

        Of two that point at once the one that was told a number later wins; neither tries again once it had its turn.
        """
        if self._files.read(_manifest_path(dataset, version)) is None:
            known = ", ".join(dict.fromkeys(self.version_history(dataset))) or "none"
            raise BadInput(f"dataset {dataset!r} has no version {version!r}; published: {known}")
        while self.current_version(dataset) != version:
            number = 1 + max((int(Path(p).stem) for p in self._pointer_paths(dataset)), default=0)
            if self._files.write(f"datasets/{dataset}/current/{number:06}.json", version.encode()):
                return

    def _pointer_paths(self, dataset: str) -> list[str]:
        """Oldest first; not without gaps where one was lost."""
        return [p for p in self._files.list_paths(f"datasets/{dataset}/current") if Path(p).stem.isdigit()]


def _manifest_path(dataset: str, version: str) -> str:
    return f"datasets/{dataset}/{version}/manifest.json"
