"""Error augmentation: wrong solutions, diagnosed, injected and corrected (LEMMA)."""
