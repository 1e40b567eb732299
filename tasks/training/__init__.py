"""Fine-tunes users' models: supervised, on preferences, and as regressors."""
