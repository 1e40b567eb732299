"""Fine-tuning of users' models: supervised, by preferences, and as a regression."""
