"""The embedded Italian base: what the default pipeline knows of Italian before it sees a narrative.

Made by the project command `base` from text that the user points at; `assets/` holds what is
shipped, with its model card.
"""
