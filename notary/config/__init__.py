"""Configuration of the daemons: typed sections read from a JSON file and the environment."""

from notary.config.errors import ConfigError
from notary.config.load import Reading
from notary.config.server import ServerConfig, load_server_config, read_server_config
from notary.config.signer import SignerConfig, load_signer_config, read_signer_config

__all__ = [
    "ConfigError",
    "Reading",
    "ServerConfig",
    "SignerConfig",
    "load_server_config",
    "load_signer_config",
    "read_server_config",
    "read_signer_config",
]
