"""Trains the small model that ships with the project. Only `flows/pupil.py` imports this package."""
