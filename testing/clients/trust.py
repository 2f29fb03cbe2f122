"""Binds anonymously over LDAPS with Python's own TLS: host, port, and the file of the CA if any."""

import socket
import ssl
import sys

host, port, *ca = sys.argv[1:]
context = ssl.create_default_context(cafile=ca[0] if ca else None)
with socket.create_connection((host, int(port)), timeout=10) as plain:
    try:
        with context.wrap_socket(plain, server_hostname=host) as tls:
            tls.sendall(bytes([0x30, 12, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0]))
            answer = tls.recv(64)
            # BindResponse, resultCode success.
            print("bound" if answer[5] == 0x61 and answer[7:10] == b"\x0a\x01\x00" else answer)
    except ssl.SSLCertVerificationError as error:
        sys.exit(f"not trusted: {error.verify_message}")
