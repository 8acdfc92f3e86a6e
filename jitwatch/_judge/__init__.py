"""Says which programs were needed and which were not, with the remedy and its saving. Pure."""
