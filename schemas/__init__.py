"""What shape: the tables, the nouns and the protocols."""
