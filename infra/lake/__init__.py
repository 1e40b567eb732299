"""Storage: committed shards, published datasets, journals of replies, models and input files."""
