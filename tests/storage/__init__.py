"""Tests of the stores, and of what they stand on."""
