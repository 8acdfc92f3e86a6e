"""The readable key of a call: everything that JAX's dispatch cache compares."""
