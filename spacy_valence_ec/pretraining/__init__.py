"""A small encoder and a small causal decoder, pretrained once on Italian text that may be shipped.

`text` prepares the text, `tokenizer` learns its pieces, `packing` and `masking` make the batches,
`training` runs the loop for both classes of model, `card` describes what came out.
"""
