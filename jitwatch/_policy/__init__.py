"""The live end: from findings and the author's limits to a warning, an error or a stopped compile. No JAX."""
