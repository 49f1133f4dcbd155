"""Where examples come from: generated scenes, published data sets and the user's own folders."""
