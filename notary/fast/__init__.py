"""Reading, writing and TLS without Twisted's layers: on uvloop, with the standard library's TLS."""
