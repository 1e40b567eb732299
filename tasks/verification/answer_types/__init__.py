"""Checks answers that are no mathematics: one checker for each type of answer."""
