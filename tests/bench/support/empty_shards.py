"""A run whose one stage does nothing, on shards of one row: what a shard costs beside its work.

`python -m tests.bench.support.empty_shards SHARDS STAGES FOLDER` runs it to its end, with one worker.
"""

import os
import sys
from pathlib import Path

from flows.cli.main import QUIET_ENVIRONMENT
from flows.cli.prefect_server import ensure_prefect_server

if __name__ == "__main__":
    shards, stages, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir()
    profile = folder / "profile.toml"
    profile.write_text(f'store = "{folder}/lake"\n[cluster]\nkind = "local"\nworkers = 1\n')
    os.environ |= QUIET_ENVIRONMENT | {"QUESTMILL_PROFILE": str(profile)}
    with ensure_prefect_server() as server_used:
        from tests.bench.support.empty_run import keep_all

        server_used.set()
        print(keep_all(shards, stages))
