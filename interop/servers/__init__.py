"""The meter of `interop.meter`, built from each peer's server; each a context manager that yields its port."""
