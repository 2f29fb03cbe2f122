#!/bin/sh
# Installs the real peers that the suite in testing/tests/suite talks to.
#
#   testing/peers.sh          install what is missing (needs root for the Debian packages)
#   testing/peers.sh --list   say what is there and what is missing, install nothing
#
# Safe to run again: what is already there is not touched and nothing is downloaded.
# No daemon is started: while packages are installed, policy-rc.d answers "forbidden" (101).
# What goes where: Debian packages into the system; PyPI and npm packages into
# <target>/peers/{venv,npm}, where <target> is CARGO_TARGET_DIR or ./target.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
peers="${CARGO_TARGET_DIR:-$root/target}/peers"

# Debian package : a path that exists once it is installed.
packages="
slapd:/usr/sbin/slapd
ldap-utils:/usr/bin/ldapsearch
openssl:/usr/bin/openssl
apache2:/usr/sbin/apache2
sssd-ldap:/usr/sbin/sssd
libnss-sss:/lib/*/libnss_sss.so.2
libpam-sss:/lib/*/security/pam_sss.so
pamtester:/usr/bin/pamtester
python3-venv:/usr/lib/python3.*/venv/__init__.py
python3-dev:/usr/include/python3.*/Python.h
libldap-dev:/usr/include/ldap.h
libsasl2-dev:/usr/include/sasl/sasl.h
libsasl2-modules:/usr/lib/*/sasl2/libscram.so.2
gcc:/usr/bin/gcc
valgrind:/usr/bin/valgrind
bind9:/usr/sbin/named
bind9-dnsutils:/usr/bin/dig
knot:/usr/sbin/knotd
pebble:/usr/bin/pebble
faketime:/usr/lib/*/faketime/libfaketime.so.1
default-jdk-headless:/usr/bin/javac
iproute2:/usr/sbin/ip
haproxy:/usr/sbin/haproxy
nftables:/usr/sbin/nft
nginx-light:/usr/sbin/nginx
libnginx-mod-stream:/usr/lib/nginx/modules/ngx_stream_module.so
stunnel4:/usr/bin/stunnel4
dnsmasq-base:/usr/sbin/dnsmasq
389-ds-base:/usr/sbin/ns-slapd
samba:/usr/sbin/samba
samba-dsdb-modules:/usr/lib/*/samba/ldb/acl.so
samba-vfs-modules:/usr/lib/*/samba/vfs/acl_xattr.so
samba-ad-provision:/usr/share/samba/setup/ad-schema
ldb-tools:/usr/bin/ldbmodify
gnutls-bin:/usr/bin/gnutls-cli
tcpdump:/usr/bin/tcpdump
testssl.sh:/usr/bin/testssl
bsdextrautils:/usr/bin/hexdump
golang-go:/usr/bin/go
libnss3-tools:/usr/bin/tstclnt
"

# True when the (possibly globbed) path $1 exists.
present() {
    for candidate in $1; do
        [ -e "$candidate" ] && return 0
    done
    return 1
}

missing_packages() {
    for line in $packages; do
        present "${line#*:}" || printf '%s ' "${line%%:*}"
    done
    # A distribution's npm drags in hundreds of packages, so any node that is there already wins.
    command -v npm >/dev/null 2>&1 || printf 'nodejs npm '
}

have_python() { [ -x "$peers/venv/bin/python" ] && "$peers/venv/bin/python" -c 'import ldap, ldap3, aiosmtpd, sslyze' 2>/dev/null; }
have_node() { [ -d "$peers/npm/node_modules/ldapts" ]; }

install_packages() {
    [ -z "$1" ] && return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "peers.sh: these packages are missing, and installing them needs root and apt: $1" >&2
        exit 1
    fi
    # Keep Debian from starting slapd, apache2, sssd, named or knotd as soon as they are unpacked.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    apt-get update -qq
    # shellcheck disable=SC2086 # a list on purpose
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $1 >/dev/null
}

install_python() {
    have_python && return 0
    # The distribution's interpreter: python-ldap is built against its headers.
    /usr/bin/python3 -m venv "$peers/venv"
    "$peers/venv/bin/pip" install --quiet --disable-pip-version-check ldap3==2.9.1 python-ldap==3.4.4 aiosmtpd==1.4.6 sslyze==6.3.1
}

install_node() {
    have_node && return 0
    mkdir -p "$peers/npm"
    printf '{"name":"peers","private":true}\n' >"$peers/npm/package.json"
    npm install --silent --no-audit --no-fund --prefix "$peers/npm" ldapts@7.4.0
}

say() { printf '%-12s %s\n' "$1" "$2"; }

if [ "${1:-}" = --list ]; then
    for line in $packages; do
        if present "${line#*:}"; then say "${line%%:*}" present; else say "${line%%:*}" MISSING; fi
    done
    if have_python; then say python present; else say "python" "MISSING (ldap3, python-ldap, aiosmtpd, sslyze)"; fi
    if have_node; then say ldapts present; else say ldapts MISSING; fi
    exit 0
fi

install_packages "$(missing_packages)"
mkdir -p "$peers"
install_python
install_node
echo "peers: all present (Python and npm clients in $peers)"
