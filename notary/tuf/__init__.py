"""What metadata means: canonical JSON, keys, roles, the four files and the rules of a publish.

Pure: no Twisted, no input or output, no clock. Times are handed in, bytes come and go.
"""
