"""A published version as a page: what it tells, and how it is drawn as HTML and as Markdown."""
