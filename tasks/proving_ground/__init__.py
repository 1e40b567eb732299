"""Problems whose answers are computed."""
