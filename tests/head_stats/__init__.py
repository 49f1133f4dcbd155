"""Head statistics against plain loops over their definitions."""
