"""Questions: written, filtered, rewritten and measured (ScaleQuest, sections 2.2 to 2.4)."""
