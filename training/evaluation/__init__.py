"""What is measured of the embedded model, one module for each part; see `training.evaluate`."""
