"""Mutated octets into every public entry point: a result or an error of ours, nothing else."""
