"""Recipes: each file of this folder holds one, written as a flow of steps to be read from top to bottom."""
