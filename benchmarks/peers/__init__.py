"""The other implementations, each driven by its own public means and as fast as it goes."""
