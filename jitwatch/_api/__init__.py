"""What programs call. Public JAX only."""
