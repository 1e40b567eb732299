"""Where it happens: the lake, the cluster, the gates and the engines."""

import os

# Arrow's own pool keeps a heap for each thread, in huge pages: 7 MB for each shard that waits for replies in a thread
# of its own. It reads this when it is first imported, and does not heed `pyarrow.set_memory_pool` inside Parquet.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
