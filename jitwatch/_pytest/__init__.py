"""The working parts of the pytest plugin, loaded when it is used."""
