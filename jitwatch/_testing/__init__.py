"""What assertions of tests count, cost and may compile. No JAX."""
