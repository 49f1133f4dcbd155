"""One test module for each family, and the registry."""
