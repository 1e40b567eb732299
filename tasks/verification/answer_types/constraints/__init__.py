"""Checks responses against instructions that a program can verify, such as a number of words or a word to avoid."""
