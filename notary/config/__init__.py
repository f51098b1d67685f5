"""Configuration of the daemons: typed sections read from a JSON file and the environment."""

from notary.config.errors import ConfigError
from notary.config.server import ServerConfig, load_server_config

__all__ = ["ConfigError", "ServerConfig", "load_server_config"]
