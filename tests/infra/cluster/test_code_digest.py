"""The digest of a step's code: what it follows, and what does not count."""

import textwrap
import uuid
from pathlib import Path

import pytest

import tasks
from infra.cluster.code_digest import digest_of_module

STEP = """
    from tasks.{helper} import length

    def measure(text):
        return length(text)
"""
HELPER = "def length(text):\n    return len(text)\n"


class Sources:
    """A module and one of `tasks` that it imports, both in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.module, self.helper = f"step_{uuid.uuid4().hex}", f"helper_{uuid.uuid4().hex}"
        self.module_file = folder / f"{self.module}.py"
        self.helper_file = folder / "tasks" / f"{self.helper}.py"
        self.helper_file.parent.mkdir()
        self.module_file.write_text(textwrap.dedent(STEP).format(helper=self.helper))
        self.helper_file.write_text(HELPER)

    def digest(self) -> str:
        """The digest of the module as its files are now."""
        return digest_of_module(self.module)

    def edit(self, file: Path, old: str, new: str) -> None:
        """Replace a text of one of the files."""
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path / "tasks")])
    return Sources(tmp_path)


def test_comments_docstrings_and_layout_are_no_code(sources: Sources) -> None:
    before = sources.digest()
    assert len(before) == 16
    sources.edit(
        sources.module_file, "    return length(text)", '    "Count."\n    return  length( text )  # characters'
    )
    sources.edit(sources.helper_file, "def length", '"""How long a text is."""\n\n\ndef length')
    assert sources.digest() == before


def test_an_edit_of_the_module_is_other_code(sources: Sources) -> None:
    before = sources.digest()
    sources.edit(sources.module_file, "return length(text)", "return length(text) + 1")
    assert sources.digest() != before


def test_an_edit_of_an_imported_module_of_tasks_is_other_code(sources: Sources) -> None:
    before = sources.digest()
    sources.edit(sources.helper_file, "len(text)", "len(text.strip())")
    assert sources.digest() != before


def test_a_module_without_a_file_has_no_digest() -> None:
    assert [digest_of_module(name) for name in ("math", "nowhere.at_all")] == ["", ""]


def test_nothing_is_imported_for_a_digest(sources: Sources) -> None:
    sources.edit(sources.helper_file, "def length", "import a_package_that_nobody_has\n\n\ndef length")
    assert sources.digest() != ""
