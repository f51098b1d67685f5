"""The Notary service: publish and verify signed content with The Update Framework."""

__version__ = "0.1.0"
