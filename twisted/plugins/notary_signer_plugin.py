"""Makes `twistd notary-signer` known."""

from twisted.application.service import ServiceMaker

notary_signer = ServiceMaker(
    "Notary signer",
    "notary.signer.tap",
    "Hold the timestamp and snapshot keys of a Notary service, and sign with them.",
    "notary-signer",
)
