"""Who signs: the interface, and the signer that holds its keys in this process."""
