"""Layers that Keras does not have, each registered, each of them survives save and load."""
