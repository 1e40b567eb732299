"""Writes, filters, rewrites and measures questions (ScaleQuest, sections 2.2 to 2.4)."""
