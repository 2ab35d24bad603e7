"""The generative arm: a causal language model that answers in words what a unit's valence is and
which of its candidates carry the emotion. Prompts, scores of answers, free generation.

`torch` and `transformers` are imported where a model is run, not when this is imported."""
