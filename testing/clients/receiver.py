"""Receivers of alerts: an HTTPS server, or a mail server.

    receiver.py https --cert FILE --key FILE [--fail COUNT]
    receiver.py smtp --cert FILE --key FILE [--user NAME --password PASSWORD]
                     [--no-starttls | --implicit]

Prints `listening PORT`, then what it receives, one JSON object a line. Ends when it is killed.
"""

import argparse
import email
import http.server
import json
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult


def say(what):
    print(what if isinstance(what, str) else json.dumps(what), flush=True)


def context(arguments):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(arguments.cert, arguments.key)
    return tls


def https(arguments):
    failures = [arguments.fail]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if failures[0] > 0:
                failures[0] -= 1
                self.send_error(503)
                return
            say({
                "path": self.path,
                "host": self.headers["Host"],
                "type": self.headers["Content-Type"],
                "authorization": self.headers["Authorization"],
                "body": json.loads(body),
            })
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context(arguments).wrap_socket(server.socket, server_side=True)
    say(f"listening {server.server_address[1]}")
    server.serve_forever()


class Mailbox:
    def __init__(self, implicit):
        self.implicit = implicit

    async def handle_DATA(self, _server, session, envelope):
        letter = email.message_from_bytes(envelope.content)
        say({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": str(email.header.make_header(email.header.decode_header(letter["Subject"]))),
            "body": letter.get_payload(decode=True).decode(),
            "tls": session.ssl is not None or self.implicit,
            "user": str(session.auth_data),
        })
        return "250 taken"


def smtp(arguments):
    def authenticate(_server, _session, _envelope, _mechanism, data):
        right = (data.login.decode(), data.password.decode()) == (arguments.user, arguments.password)
        return AuthResult(success=right, auth_data=data.login.decode() if right else None)

    class Server(Controller):
        def factory(self):
            options = {} if arguments.no_starttls or arguments.implicit else {
                "require_starttls": True, "tls_context": context(arguments),
            }
            return SMTP(
                self.handler, hostname="localhost", authenticator=authenticate,
                auth_required=not arguments.no_starttls,
                auth_require_tls=not arguments.implicit, **options,
            )

    server = Server(
        Mailbox(arguments.implicit), hostname="127.0.0.1", port=free_port(),
        ssl_context=context(arguments) if arguments.implicit else None,
    )
    server.start()
    say(f"listening {server.port}")
    threading.Event().wait()


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["https", "smtp"])
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--fail", type=int, default=0)
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    parser.add_argument("--no-starttls", action="store_true")
    parser.add_argument("--implicit", action="store_true", help="TLS from the first byte")
    arguments = parser.parse_args()
    sys.exit({"https": https, "smtp": smtp}[arguments.kind](arguments))


main()
