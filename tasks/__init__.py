"""What to do: stages and merges that know nothing of where they run."""
