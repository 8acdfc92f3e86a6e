"""Says what happened in a call. The only package of jitwatch that imports jax; it decides and explains nothing."""
