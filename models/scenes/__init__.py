"""`scenes`, the built-in picture model: palette regions and a few words in, a landscape out.

Importing this package imports nothing heavy; `models.scenes.model` holds the factory.
"""
