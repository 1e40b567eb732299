"""The infrastructure of runs: the lake, the cluster, the gates and the engines."""

import os

# Arrow's default pool keeps a heap in huge pages for each thread: 7 MB for each shard that waits for replies in its own
# thread. Arrow reads this variable on its first import; its Parquet code ignores `pyarrow.set_memory_pool`.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
