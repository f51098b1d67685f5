"""Looking at a set-up without serving: what is right, what is wrong, and what to do about it."""
