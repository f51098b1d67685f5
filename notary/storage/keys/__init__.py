"""Where the signer's keys are kept, each of them sealed: nothing in this room can open one."""
