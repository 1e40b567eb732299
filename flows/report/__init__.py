"""The report of a published version: its content, and its rendering as HTML and Markdown."""
