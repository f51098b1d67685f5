"""What operators see of a daemon: logs, metrics and health."""
