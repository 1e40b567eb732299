"""A run whose one stage does nothing, on shards of one row: what a shard costs beside its work.

`python -m tests.bench.support.empty_shards SHARDS STAGES LAKE` runs it to its end.
"""

import os
import sys

from flows.cli.main import QUIET_ENVIRONMENT
from flows.cli.prefect_server import ensure_prefect_server

if __name__ == "__main__":
    shards, stages, lake = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.environ |= QUIET_ENVIRONMENT | {"QUESTMILL_STORE": lake}
    with ensure_prefect_server() as server_used:
        from tests.bench.support.empty_run import keep_all

        server_used.set()
        print(keep_all(shards, stages))
