"""Portable test vectors: exported for implementations in any language, and a judge of what they answer."""
