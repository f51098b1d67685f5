"""Who signs: the interface, the signer in this process, and the wire to the one in another."""
