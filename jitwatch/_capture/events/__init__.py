"""What JAX's events say: whose stage ran, for what, and with which program."""
