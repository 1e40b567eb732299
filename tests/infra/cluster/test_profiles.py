"""A profile is read from a file; what is wrong in it is told in one line."""

import typing
from pathlib import Path

import pytest

from infra.cluster.profiles import KINDS, OLD_FIELDS, load_profile
from schemas.engine_specs import EngineSpec, HttpSpec
from schemas.errors import BadInput
from schemas.profile import Profile

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
        (
            f'{HTTP}base_url = "http://a/v1"\nslots = 8\npatience = 9\n',
            "roles.solver has no field 'slots': it is called 'max_in_flight' now; "
            "roles.solver has no field 'patience': it is called 'outage_seconds' now",
        ),
        (
            '[cluster]\nkind = "local"\nasking = 8\n',
            "cluster has no field 'asking': it is called 'max_waiting_shards' now",
        ),
        (
            f'{HTTP}base_url = "http://a/v1"\ndead_line = 9\n',
            "roles.solver has no field 'dead_line'; did you mean 'dea",
        ),
        (
            f'{HTTP}base_url = "http://a/v1"\nmemory = "1GiB"\n',
            "roles.solver has no field 'memory'; there are: usd_per",
        ),
        ('stor = "data"', "the profile has no field 'stor'; did you mean 'store'?"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        load_profile(str(path))
    assert told in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "old"), [(kind, old) for kind, names in OLD_FIELDS.items() for old in names])
def test_every_old_name_leads_to_a_field_of_its_table_and_is_no_field_itself(kind: str, old: str) -> None:
    fields = KINDS[kind].model_fields
    assert OLD_FIELDS[kind][old] in fields and old not in fields


def test_every_kind_of_engine_and_cluster_is_known_by_its_name() -> None:
    engines = typing.get_args(typing.get_args(EngineSpec)[0])
    clusters = typing.get_args(Profile.model_fields["cluster"].annotation)
    kinds = {typing.get_args(model.model_fields["kind"].annotation)[0]: model for model in (*engines, *clusters)}
    assert kinds == KINDS
