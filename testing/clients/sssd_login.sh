#!/bin/sh
# A Linux login through SSSD against LDAPS, without touching the machine it runs on.
#
#   sssd_login.sh URI CA BIND_DN PASSWORD_FILE BASE SCHEMA USER USER_PASSWORD GROUP
#
# Needs root. It runs itself again in mount and process namespaces of its own, puts its own
# /etc/sssd, /var/lib/sss, /etc/nsswitch.conf and PAM service over the machine's, starts
# `sssd -i`, and checks: getent passwd and group, id, a login with the right and a wrong password.
# When it ends, its namespaces end, and every process in them.
set -eu

if [ "${IN_NAMESPACE:-}" != yes ]; then
    IN_NAMESPACE=yes exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$@"
fi
uri=$1 ca=$2 bind_dn=$3 password_file=$4 base=$5 schema=$6 user=$7 user_password=$8 group=$9

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/etc" "$work/log"
cp -a /var/lib/sss "$work/sss"

cat >"$work/etc/sssd.conf" <<CONF
[sssd]
services = nss, pam
domains = suite
[nss]
# The suite asks again at once when something is not there yet.
entry_negative_timeout = 0
[domain/suite]
id_provider = ldap
auth_provider = ldap
access_provider = permit
ldap_uri = $uri
ldap_search_base = $base
ldap_schema = $schema
ldap_tls_cacert = $ca
ldap_tls_reqcert = demand
ldap_default_bind_dn = $bind_dn
ldap_default_authtok = $(cat "$password_file")
cache_credentials = false
CONF
chmod 600 "$work/etc/sssd.conf"

mount --make-rprivate /
mount --bind "$work/etc" /etc/sssd
mount --bind "$work/sss" /var/lib/sss
mount --bind "$work/log" /var/log/sssd
sed -e 's/^\(passwd\|group\|shadow\):.*/\1: files sss/' /etc/nsswitch.conf >"$work/nsswitch.conf"
mount --bind "$work/nsswitch.conf" /etc/nsswitch.conf
cp -a /etc/pam.d "$work/pam.d"
printf 'auth required pam_sss.so\naccount required pam_sss.so\n' >"$work/pam.d/suite-login"
mount --bind "$work/pam.d" /etc/pam.d
mount -t tmpfs tmpfs /run

sssd -i -d 0x01f0 >"$work/log/sssd.out" 2>&1 &
sssd=$!

fail() {
    echo "MISMATCH: $*" >&2
    tail -n 60 "$work"/log/* >&2
    kill "$sssd" 2>/dev/null || true
    exit 1
}

# It answers as soon as its back end has connected; give it a minute, look four times a second.
tries=0
until getent -s sss passwd "$user" >"$work/passwd"; do
    tries=$((tries + 1))
    [ "$tries" -lt 240 ] || fail "getent passwd $user answers nothing"
    kill -0 "$sssd" 2>/dev/null || fail "sssd ended"
    sleep 0.25
done

echo "- getent passwd: $(cat "$work/passwd")"
grep -q "^$user:" "$work/passwd" || fail "getent passwd"
echo "- getent group: $(getent -s sss group "$group" || true)"
getent -s sss group "$group" | grep -q "$user" || fail "$user is not in $group"
echo "- id: $(id "$user")"
id -nG "$user" | tr ' ' '\n' | grep -qx "$group" || fail "id does not show $group"

login() { printf '%s\n' "$1" | pamtester suite-login "$user" authenticate acct_mgmt >"$work/log/pam" 2>&1; }
login "$user_password" || fail "a login with the right password"
echo "- login with the right password"
if login "not $user_password"; then fail "a login with a wrong password"; fi
echo "- no login with a wrong password"

kill "$sssd"
wait "$sssd" || true
echo "sssd: done"
