"""Stores the report of a published version in the lake, and renders it again on demand."""

from pathlib import Path

from flows.report.html import render_html
from flows.report.markdown import render_markdown
from flows.report.sections import build_report
from infra.lake.store import Store
from infra.report_data import dataset_summary
from schemas.errors import BadInput
from schemas.receipts import Manifest


def save_report(store: Store, summary: dataset_summary.DatasetSummary) -> str:
    """Store the HTML report in the lake, unless this version already has one, and return the report as Markdown."""
    document = build_report(summary)
    store.write(report_path(summary.manifest), render_html(document).encode())
    return render_markdown(document)


def report_path(manifest: Manifest) -> str:
    """Return the path of a version's report in the lake."""
    return f"reports/{manifest.dataset}/{manifest.version}.html"


def print_report(store: Store, dataset: str, version: str | None, out: str | None) -> int:
    """Print the location of the report. With `out`, render it again into that file.

    Raises `BadInput` if the dataset or version is not published, or `out` cannot be written.
    """
    manifest = store.datasets.read_manifest(dataset, version)
    if manifest is None:
        published = dict.fromkeys(store.datasets.version_history(dataset)) if version else store.datasets.names()
        known = ", ".join(published) or "none"
        what = f"dataset {dataset!r} has no version {version!r}" if version else f"no dataset {dataset!r} is published"
        raise BadInput(f"report: {what}; published: {known}")
    if out is None:
        if store.read(report_path(manifest)) is None:
            save_report(store, dataset_summary.read_summary(store, manifest))
        print(store.locate(report_path(manifest)))
        return 0
    document = build_report(dataset_summary.read_summary(store, manifest))
    try:
        Path(out).write_text(
            render_markdown(document) if out.endswith(".md") else render_html(document), encoding="utf-8"
        )
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror}; give a file that you may write") from error
    print(out)
    return 0
