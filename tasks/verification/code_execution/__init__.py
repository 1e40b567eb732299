"""Solutions that are Python programs: found, run in a sandbox, and compared by what they print."""
