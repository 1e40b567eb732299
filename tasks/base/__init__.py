"""What stages build on: asking a model, judging with one, reading its reply, and intervals."""
