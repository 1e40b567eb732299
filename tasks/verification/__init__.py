"""Is this answer right? Verifiers, alone and combined."""
