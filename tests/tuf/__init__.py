"""Tests of what metadata means."""
