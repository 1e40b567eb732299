"""The report of a published version, as a file: kept in the lake when it is published, and made again on demand."""

from pathlib import Path

from flows.report.html import page
from flows.report.markdown import markdown
from flows.report.sections import tell
from infra.lake.store import Store
from infra.report_data import dataset_summary
from schemas.errors import BadInput
from schemas.receipts import Manifest


def keep(store: Store, found: dataset_summary.Figures) -> str:
    """Put the HTML report beside the dataset, unless this version has one, and return the same as Markdown."""
    story = tell(found)
    store.write(place(found.manifest), page(story).encode())
    return markdown(story)


def place(manifest: Manifest) -> str:
    """Path of a version's report in the lake."""
    return f"reports/{manifest.dataset}/{manifest.version}.html"


def report(store: Store, dataset: str, version: str | None, out: str | None) -> int:
    """Print where the report lies; with `out`, make it anew and write it there. Raises `BadInput`."""
    manifest = store.manifest(dataset, version)
    if manifest is None:
        known = ", ".join(dict.fromkeys(store.history(dataset)) if version else store.datasets()) or "none"
        what = f"dataset {dataset!r} has no version {version!r}" if version else f"no dataset {dataset!r} is published"
        raise BadInput(f"report: {what}; published: {known}")
    if out is None:
        if store.read(place(manifest)) is None:
            keep(store, dataset_summary.read(store, manifest))
        print(store.locate(place(manifest)))
        return 0
    story = tell(dataset_summary.read(store, manifest))
    try:
        Path(out).write_text(markdown(story) if out.endswith(".md") else page(story), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror}; give a file that you may write") from error
    print(out)
    return 0
