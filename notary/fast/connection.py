"""A TLS connection, between uvloop's socket and a protocol of Twisted's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Any

from OpenSSL import crypto
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener, IPushProducer, ISSLTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from notary.fast.ends import Address, Ends
from notary.fast.openssl import OpenSSLRecords
from notary.fast.records import READ_BYTES, TLS_ERRORS, Records

HANDSHAKE_SECONDS = 60
"""How long a handshake may take."""

LINGER_SECONDS = 60
"""How long a client may take to read nothing more, or not to close, once all is written for it."""

WRITE_BYTES = 64 * 1024
"""Bytes that wait to be sent before the protocol is asked for no more."""

_KEEPALIVE = socket.SOL_SOCKET, socket.SO_KEEPALIVE

_BUFFER = memoryview(bytearray(READ_BYTES))
"""Where all sockets are read into: what was read is taken out before the next one is."""


@implementer(ISSLTransport, IPushProducer)
class Connection(Ends, asyncio.BufferedProtocol):
    """The protocol of a socket and the transport of a protocol, with OpenSSL in between.

    As with Twisted's own TLS, the protocol is told of the connection before the handshake, what it
    writes until then is sent afterwards, and when it closes, the other end is given time to do so
    too.

    Args:
        records: does TLS.
        protocol: what is spoken.
        peer: where the other end is.
        host: where this end is.
        loop: tells what takes too long.

    Attributes:
        disconnecting: whether the protocol has closed the connection.
    """

    _log = Logger()
    _socket: Any = None
    _producer: Any = None
    _timer: asyncio.TimerHandle | None = None
    _established = False
    _listener: Any = None
    _delivering = False
    _can_wait = 0
    _reading = True
    _writing_paused = False
    _over = False
    disconnecting = False

    def __init__(
        self,
        records: Records | OpenSSLRecords,
        protocol: Any,
        peer: Address,
        host: Address,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(peer, host)
        self._records = records
        self._protocol = protocol
        self._loop = loop
        self._early: list[bytes] = []
        self._reason: BaseException | None = None

    # What the socket calls.

    def connection_made(self, transport: Any) -> None:
        """Begin with the handshake, which a client does."""
        self._socket = transport
        transport.set_write_buffer_limits(high=WRITE_BYTES, low=0)
        self._timer = self._loop.call_later(HANDSHAKE_SECONDS, self.abortConnection)
        self._protocol.makeConnection(self)
        if self._records.is_client and not self._over:
            self._shake_hands()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to read into."""
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Take in what was read."""
        self._records.take_in(_BUFFER[:nbytes])
        if self._established or self._shake_hands():
            self._deliver()

    def eof_received(self) -> None:
        """Close the connection, since the client has left."""
        self._fail(ConnectionDone() if self.disconnecting else ConnectionLost(), gently=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the protocol that it is over, and why."""
        self._over = True
        self._stop_timer()
        if self._reason is None:
            self._reason = ConnectionDone() if self.disconnecting else ConnectionLost()
        self._producer = None
        self._protocol.connectionLost(Failure(self._reason))
        del self._protocol

    def pause_writing(self) -> None:
        """Ask the protocol for no more: the client does not read."""
        self._writing_paused = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def resume_writing(self) -> None:
        """Ask the protocol for more: all is sent."""
        self._writing_paused = False
        if self._producer is not None:
            self._producer.resumeProducing()

    # What the protocol calls.

    def write(self, data: bytes) -> None:
        """Send data, after the handshake."""
        if self._over or (self.disconnecting and self._producer is None):
            return
        if not self._established:
            self._early.append(data)
            return
        self._encrypt(data)
        if not self._delivering:
            self._flush()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send pieces of data, after the handshake."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close the connection when all is sent that was written, and a producer has finished."""
        if self.disconnecting or self._over:
            return
        if not self._established and not self._early:
            self.abortConnection()
            return
        self.disconnecting = True
        if self._established and self._producer is None:
            self._close()

    def loseWriteConnection(self) -> None:
        """Close the connection: TLS knows no half-closed one."""
        self.loseConnection()

    def abortConnection(self) -> None:
        """Close the connection at once, whatever was not sent."""
        self._fail(ConnectionAborted())

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Have a producer told when to pause. It has to push what it produces."""
        if self._producer is not None or not streaming:
            raise RuntimeError("there is a producer already, or this one has to be asked for more")
        if self._over:
            producer.stopProducing()
            return
        self._producer = producer
        if self._writing_paused:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        if self._producer is None:
            return
        self._producer = None
        if self.disconnecting and self._established:
            self._close()

    def pauseProducing(self) -> None:
        """Give the protocol nothing more for now, and read nothing for it."""
        self._reading = False
        if not self._over:
            self._socket.pause_reading()

    def resumeProducing(self) -> None:
        """Give the protocol what was held back, and go on reading."""
        if self._reading or self._over:
            return
        self._reading = True
        self._socket.resume_reading()
        self._loop.call_soon(self._deliver)

    def stopProducing(self) -> None:
        """Close the connection."""
        self.loseConnection()

    def getPeerCertificate(self) -> crypto.X509 | None:
        """Return the certificate that the other end has shown, if it did."""
        return self._records.certificate()

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """What is spoken, if that was agreed on by ALPN."""
        return self._records.negotiated()

    def getHandle(self) -> object:
        """Return the TLS library's end of the connection."""
        return self._records.handle

    def getTcpKeepAlive(self) -> bool:
        """Return whether the other end is probed when nothing comes."""
        probed = self._socket.get_extra_info("socket").getsockopt(*_KEEPALIVE)
        return bool(probed)

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Have the other end probed when nothing comes, or not."""
        self._socket.get_extra_info("socket").setsockopt(*_KEEPALIVE, enabled)

    # What goes on in between.

    def _shake_hands(self) -> bool:
        """Return whether that is done."""
        try:
            self._established = self._records.shake_hands()
        except TLS_ERRORS as error:
            self._fail(error, gently=True)
            return False
        if not self._established:
            self._flush()
            return False
        self._stop_timer()
        early, self._early = self._early, []
        for data in early:
            self._encrypt(data)
        if early or not self._records.only_tickets_are_left():
            self._flush()
        self._can_wait = self._records.unsent
        if self.disconnecting and self._producer is None:
            self._close()
        if IHandshakeListener.providedBy(self._protocol):
            self._listener = self._protocol
        return True

    def _deliver(self) -> None:
        """Give the protocol what has come, and send what it answers in one piece."""
        self._delivering = True
        try:
            if self._listener is not None:
                listener, self._listener = self._listener, None
                listener.handshakeCompleted()
            while self._reading and not self._over:
                data = self._records.read()
                if data is None:
                    break
                if not data:
                    self._records.say_goodbye()
                    self._fail(ConnectionDone(), gently=True)
                elif not self.disconnecting:
                    self._protocol.dataReceived(data)
        except TLS_ERRORS as error:
            self._fail(error, gently=True)
        except Exception as error:
            self._log.failure("a protocol failed, its connection is closed")
            self._fail(error)
        finally:
            self._delivering = False
            if self._records.unsent > self._can_wait:
                self._flush()

    def _encrypt(self, data: bytes) -> None:
        """Take data in, and send on the way what has become much: big blocks of memory are slow."""
        if len(data) <= WRITE_BYTES:
            self._records.write(data)
        else:
            rest = memoryview(data)
            while rest:
                self._records.write(rest[:WRITE_BYTES])
                self._flush()
                rest = rest[WRITE_BYTES:]
        if self._records.unsent > WRITE_BYTES:
            self._flush()

    def _flush(self) -> None:
        self._can_wait = 0
        if self._records.unsent and not self._socket.is_closing():
            self._socket.write(self._records.take_out())

    def _close(self) -> None:
        """Tell the client that nothing more is sent, and wait until it closes."""
        self._records.say_goodbye()
        self._flush()
        self.resumeProducing()
        self._linger()

    def _linger(self) -> None:
        unsent = self._socket.get_write_buffer_size()
        self._timer = self._loop.call_later(LINGER_SECONDS, self._look_whether_it_reads, unsent)

    def _look_whether_it_reads(self, before: int) -> None:
        if 0 < self._socket.get_write_buffer_size() < before:
            self._linger()
        else:
            self._reason = self._reason or ConnectionDone()
            self._socket.abort()

    def _fail(self, reason: BaseException, *, gently: bool = False) -> None:
        """Close the socket; gently, if what was written is to be sent before."""
        if self._over:
            return
        self._reason = reason
        self._stop_timer()
        if gently:
            self._flush()
            self._socket.close()
            self._linger()
        else:
            self._socket.abort()
        self._over = True

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
