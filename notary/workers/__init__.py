"""Several processes for one daemon: what their parent does, and what each of them does."""
