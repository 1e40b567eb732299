"""Answers: sampled, scored and selected (ScaleQuest, section 2.5)."""
