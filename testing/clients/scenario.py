"""What the Python scenarios share: arguments, steps, and stopping at the first mismatch."""

import argparse
import sys
from pathlib import Path

MANY = 10_000


def arguments(name):
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--uri", required=True, help="ldaps://…")
    parser.add_argument("--starttls-uri", required=True, help="ldap://…, where StartTLS is offered")
    parser.add_argument("--ca", required=True)
    parser.add_argument("--bind-dn", required=True)
    parser.add_argument("--password-file", required=True)
    parser.add_argument("--base", required=True, help="an existing entry to work below")
    parser.add_argument("--many", required=True, help="an entry with 10 000 people below it")
    parser.add_argument("--confidential", action="store_true", help="no bind without TLS")
    parser.add_argument("--cert", help="client certificate that signs in the bind DN")
    parser.add_argument("--key")
    args = parser.parse_args()
    args.password = Path(args.password_file).read_text().rstrip("\n")
    return args


def step(text):
    print(f"- {text}", flush=True)


def check(got, expected, what):
    if got != expected:
        print(f"MISMATCH: {what}\n  got      {got!r}\n  expected {expected!r}", file=sys.stderr)
        sys.exit(1)
