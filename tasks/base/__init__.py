"""Base classes and helpers of stages: asking a model, judging with one, parsing replies, and intervals."""
