"""The images and the compose files with a real engine: ``make test-containers``.

Nothing here needs more than Python's standard library, since it runs where the engine is.
"""
