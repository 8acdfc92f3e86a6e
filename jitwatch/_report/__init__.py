"""Renderers: each turns a snapshot into one format. They compute no facts and import no JAX."""
