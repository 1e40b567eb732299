"""The equality ladder: whether two answers are the same, by exact rungs of which each decides or passes on."""
