"""A full scenario with python-ldap (libldap). Ends with exit code 1 at the first mismatch."""

import sys

import ldap
import ldap.sasl
from ldap.controls import SimplePagedResultsControl
from ldap.controls.readentry import PostReadControl, PreReadControl
from ldap.controls.simple import ManageDSAITControl
from ldap.controls.libldap import AssertionControl
from scenario import MANY, arguments, check, step

args = arguments("python-ldap")
BASE = f"ou=python-ldap,{args.base}"
PEOPLE = f"ou=people,{BASE}"


def connection(uri=args.uri, cert=None, key=None, ca=args.ca):
    conn = ldap.initialize(uri)
    conn.protocol_version = 3
    conn.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    conn.set_option(ldap.OPT_X_TLS_CACERTFILE, ca)
    if cert:
        conn.set_option(ldap.OPT_X_TLS_CERTFILE, cert)
        conn.set_option(ldap.OPT_X_TLS_KEYFILE, key)
    conn.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    conn.set_option(ldap.OPT_REFERRALS, 0)
    return conn


def signed_in(user=args.bind_dn, password=args.password):
    conn = connection()
    conn.simple_bind_s(user, password)
    return conn


def refused(error, call, what):
    try:
        call()
    except error:
        return
    except ldap.LDAPError as other:
        check(type(other).__name__, error.__name__, what)
    check("success", error.__name__, what)


def found(text):
    entries = conn.search_s(PEOPLE, ldap.SCOPE_SUBTREE, text, ["cn"])
    return sorted(attributes["cn"][0].decode() for _, attributes in entries)


def add(dn, **attributes):
    def octets(value):
        return [item.encode() for item in (value if isinstance(value, list) else [value])]

    conn.add_s(dn, [(name, octets(value)) for name, value in attributes.items()])


step("bind: good and bad")
conn = signed_in()
bad = connection()
refused(ldap.INVALID_CREDENTIALS, lambda: bad.simple_bind_s(args.bind_dn, "wrong"), "wrong password")

step("a certificate of another authority is not believed")
stranger = connection(ca="/etc/ssl/certs/ca-certificates.crt")
refused(ldap.SERVER_DOWN, lambda: stranger.simple_bind_s(args.bind_dn, "x"), "TLS with another CA")

step("add")
add(BASE, objectClass="organizationalUnit")
add(PEOPLE, objectClass="organizationalUnit")
add(f"ou=old,{PEOPLE}", objectClass="organizationalUnit")
add(f"ou=new,{PEOPLE}", objectClass="organizationalUnit")
for number, name in enumerate(["Anna Alpha", "Bert Beta", "Carla Gamma"], start=1):
    uid = name.split()[0].lower()
    add(
        f"uid={uid},ou=old,{PEOPLE}",
        objectClass=["inetOrgPerson", "posixAccount"],
        cn=name,
        sn=name.split()[1],
        mail=f"{uid}@example.com",
        uidNumber=str(number),
        gidNumber="7",
        homeDirectory=f"/home/{uid}",
    )
again = lambda: add(PEOPLE, objectClass="organizationalUnit")
refused(ldap.ALREADY_EXISTS, again, "add it again")

step("search with every kind of filter")
everybody = ["Anna Alpha", "Bert Beta", "Carla Gamma"]
for text, expected in [
    ("(uid=anna)", everybody[:1]),
    ("(cn=ANNA  ALPHA)", everybody[:1]),
    ("(cn=an*)", everybody[:1]),
    ("(cn=*r*t*)", everybody[1:2]),
    ("(cn=*amma)", everybody[2:]),
    ("(uidNumber>=2)", everybody[1:]),
    ("(uidNumber<=1)", everybody[:1]),
    ("(mail=*)", everybody),
    ("(sn~=beta)", everybody[1:2]),
    ("(cn:caseExactMatch:=Anna Alpha)", everybody[:1]),
    ("(cn:caseExactMatch:=anna alpha)", []),
    ("(cn:2.5.13.2:=anna alpha)", everybody[:1]),
    ("(&(ou:dn:=old)(objectClass=person))", everybody),
    ("(:dn:2.5.13.2:=anna)", everybody[:1]),
    ("(uidNumber:1.2.840.113556.1.4.803:=2)", everybody[1:]),
    ("(&(objectClass=person)(!(uid=bert)))", everybody[:1] + everybody[2:]),
    ("(|(uid=anna)(uid=carla))", everybody[:1] + everybody[2:]),
    ("(&(objectClass=person)(&))", everybody),
    ("(&(objectClass=person)(|))", []),
]:
    check(found(text), expected, text)

step("paged search over 10 000 entries")
control = SimplePagedResultsControl(True, size=500, cookie="")
names, pages = [], 0
while True:
    message = conn.search_ext(
        args.many, ldap.SCOPE_SUBTREE, "(objectClass=person)", ["uid"], serverctrls=[control]
    )
    _, entries, _, controls = conn.result3(message)
    names += [dn for dn, _ in entries]
    pages += 1
    control.cookie = next(c.cookie for c in controls if c.controlType == control.controlType)
    if not control.cookie:
        break
check((len(names), len(set(names))), (MANY, MANY), "entries, different entries")
check(pages in (MANY // 500, MANY // 500 + 1), True, f"{pages} pages of 500")

step("modify: add, delete, replace, increment")
anna = f"uid=anna,ou=old,{PEOPLE}"
conn.modify_s(
    anna,
    [
        (ldap.MOD_ADD, "description", [b"one", b"two"]),
        (ldap.MOD_DELETE, "description", [b"one"]),
        (ldap.MOD_REPLACE, "title", [b"Dr."]),
        (ldap.MOD_INCREMENT, "uidNumber", [b"10"]),
    ],
)
wanted = ["description", "title", "uidNumber"]
values = conn.search_s(anna, ldap.SCOPE_BASE, "(objectClass=*)", wanted)[0][1]
check(values, {"description": [b"two"], "title": [b"Dr."], "uidNumber": [b"11"]}, "values")
missing = lambda: conn.modify_s(anna, [(ldap.MOD_DELETE, "description", [b"absent"])])
refused(ldap.NO_SUCH_ATTRIBUTE, missing, "delete a value that is not there")

step("assertion, pre-read and post-read")
controls = [
    AssertionControl(True, "(title=dr.)"),
    PreReadControl(True, ["title"]),
    PostReadControl(True, ["title"]),
]
message = conn.modify_ext(anna, [(ldap.MOD_REPLACE, "title", [b"Prof."])], serverctrls=controls)
_, _, _, answered = conn.result3(message)
read = sorted(c.entry["title"][0] for c in answered if hasattr(c, "entry"))
check(read, [b"Dr.", b"Prof."], "title before and after")
failing = lambda: conn.modify_ext_s(
    anna, [(ldap.MOD_REPLACE, "title", [b"x"])], serverctrls=[AssertionControl(True, "(title=dr.)")]
)
refused(ldap.ASSERTION_FAILED, failing, "an assertion that is not true")

step("compare")
check(conn.compare_s(anna, "title", b"PROF."), True, "compare true")
check(conn.compare_s(anna, "title", b"Dr."), False, "compare false")

step("rename a leaf, then a subtree with a new superior")
conn.rename_s(f"uid=bert,ou=old,{PEOPLE}", "uid=bertram", delold=1)
conn.rename_s(f"ou=old,{PEOPLE}", "ou=moved", newsuperior=f"ou=new,{PEOPLE}", delold=1)
moved = f"ou=moved,ou=new,{PEOPLE}"
children = conn.search_s(moved, ldap.SCOPE_ONELEVEL, "(objectClass=person)", ["uid"])
uids = sorted(attributes["uid"][0] for _, attributes in children)
check(uids, [b"anna", b"bertram", b"carla"], "children under the new name")
below = [dn.lower().endswith(moved.lower()) for dn, _ in children]
check(all(below), True, "their names end with the new one")
gone = lambda: conn.search_s(f"ou=old,{PEOPLE}", ldap.SCOPE_BASE)
refused(ldap.NO_SUCH_OBJECT, gone, "search under the old name")

step("password modify, and a bind with the new one")
anna = f"uid=anna,{moved}"
conn.passwd_s(anna, None, "brand new")
own = signed_in(anna, "brand new")
own.passwd_s(None, "brand new", "newer")
own = signed_in(anna, "newer")

step("who am I")
check(own.whoami_s().lower(), f"dn:{anna}".lower(), "who am I")

step("StartTLS, and no secret without it")
plain = connection(args.starttls_uri)
attempt = lambda: plain.simple_bind_s(args.bind_dn, args.password)
if args.confidential:
    refused(ldap.CONFIDENTIALITY_REQUIRED, attempt, "bind without TLS")
else:
    attempt()
upgraded = connection(args.starttls_uri)
upgraded.start_tls_s()
upgraded.simple_bind_s(args.bind_dn, args.password)
check(upgraded.whoami_s().lower(), f"dn:{args.bind_dn}".lower(), "who am I after StartTLS")

if args.cert:
    step("SASL EXTERNAL with a client certificate")
    external = connection(cert=args.cert, key=args.key)
    external.sasl_interactive_bind_s("", ldap.sasl.external())
    check(external.whoami_s().lower(), f"dn:{args.bind_dn}".lower(), "who am I")

step("abandon and cancel: the connection is usable afterwards")
message = conn.search(args.many, ldap.SCOPE_SUBTREE, "(description=*x*)")
conn.abandon(message)
message = conn.search(args.many, ldap.SCOPE_SUBTREE, "(description=*y*)")
try:
    conn.cancel_s(message)
except (ldap.CANCELLED, ldap.NO_SUCH_OPERATION, ldap.TOO_LATE, ldap.CANNOT_CANCEL):
    pass
check(len(conn.search_s(anna, ldap.SCOPE_BASE)), 1, "a search after both")

step("delete")
conn.delete_s(anna)
refused(ldap.NO_SUCH_OBJECT, lambda: conn.delete_s(anna), "delete it again")
refused(ldap.NOT_ALLOWED_ON_NONLEAF, lambda: conn.delete_s(moved), "delete with children")
conn.delete_ext_s(f"uid=carla,{moved}", serverctrls=[ManageDSAITControl()])
conn.unbind_s()
print("python-ldap: done")
sys.exit(0)
