"""Samples, scores and selects answers (ScaleQuest, section 2.5)."""
