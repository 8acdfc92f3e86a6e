"""The hook in a jitted function: every miss passes through here, every hit is counted in C."""
