"""Where metadata is kept, and everything that may block: the only home of threads."""
