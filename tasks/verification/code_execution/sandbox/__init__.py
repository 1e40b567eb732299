"""Runs Python programs that nobody has read so that they do no harm: `outside` asks, `warden` watches, `cell` runs."""
