"""The machinery that runs a flow: the lake, the cluster, the gates and the engines."""

import os

# Arrow's default pool keeps a heap of huge pages for each thread: 7 MB for each shard, because every shard waits for
# replies in its own thread. Arrow reads this variable at its first import; Parquet ignores `pyarrow.set_memory_pool`.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
