"""A profile is read from a file; what is wrong in it is told in one line."""

from pathlib import Path

import pytest

from infra.cluster.profiles import load_profile
from schemas.engine_specs import HttpSpec
from schemas.errors import BadInput

HTTP = '[roles.solver]\nkind = "http"\nmodel = "m"\n'


def test_one_server_needs_no_list(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'{HTTP}base_url = "http://127.0.0.1:9/v1"\n')
    spec = load_profile(str(path)).roles["solver"]
    assert isinstance(spec, HttpSpec) and spec.base_url == ("http://127.0.0.1:9/v1",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HTTP, "roles.solver.http.base_url: Field required"),
        (f'{HTTP}base_url = "ftp://a"', "'ftp://a' is not an http or https url"),
        (f'{HTTP}base_url = "http://a/v1, http://b/v1"', "not an http or https url; give several urls as a list"),
        (f'{HTTP}base_url = "http://a:port/v1"', "Port could not be cast"),
        ('[cluster]\nkind = "local"\nworkers = 0\n', "cluster.local.workers: Input should be greater than"),
        ("store = 1 2", "Expected newline"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        load_profile(str(path))
    assert told in str(caught.value) and "\n" not in str(caught.value)
