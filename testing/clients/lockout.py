"""Signs in with ldap3 from one source address after the other, and prints each result code.

    lockout.py --uri ldaps://localhost:PORT --ca FILE --dn DN ADDRESS=PASSWORD ...

ADDRESS is one of this machine's own (127.0.1.1). Ends with 0 whatever the codes are.
"""

import argparse
import ssl
from urllib.parse import urlparse

import ldap3


def code(server, dn, attempt):
    address, password = attempt.split("=", 1)
    connection = ldap3.Connection(
        server, user=dn, password=password, authentication=ldap3.SIMPLE,
        source_address=address, raise_exceptions=False,
    )
    connection.bind()
    result = connection.result["result"]
    connection.unbind()
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--uri", required=True)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--dn", required=True)
    parser.add_argument("attempts", nargs="+")
    arguments = parser.parse_args()
    port = urlparse(arguments.uri).port
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=arguments.ca)
    server = ldap3.Server("localhost", port=port, use_ssl=True, tls=tls, get_info=ldap3.NONE)
    print(" ".join(str(code(server, arguments.dn, one)) for one in arguments.attempts))


main()
