"""Certified test vectors for implementations in any language."""
