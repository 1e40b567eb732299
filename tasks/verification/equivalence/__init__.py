"""Decides whether two answers are equal, by a sequence of exact rules: each decides or passes on to the next."""
