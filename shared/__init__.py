"""What station and centre must agree on. Loads pydantic, PyNaCl and the standard library, nothing else."""
