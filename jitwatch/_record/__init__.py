"""Keeps what capture saw: live and bounded, or finished and added up. Interprets nothing. No JAX."""
