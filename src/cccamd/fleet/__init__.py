"""Several nodes that share control words: decisions, values, and the engine between them."""
