"""Narratives and annotations in the formats of other tools, a module for each format."""
