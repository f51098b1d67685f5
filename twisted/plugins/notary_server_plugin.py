"""Makes `twistd notary-server` known."""

from twisted.application.service import ServiceMaker

notary_server = ServiceMaker(
    "Notary server",
    "notary.server.main",
    "Publish and verify signed content: the metadata server of a Notary service.",
    "notary-server",
)
