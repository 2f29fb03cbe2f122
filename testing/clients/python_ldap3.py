"""A full scenario with python-ldap3. Ends with a message and exit code 1 at the first mismatch."""

import ssl
import sys

import ldap3
from ldap3.core.exceptions import LDAPException
from scenario import MANY, arguments, check, step

args = arguments("python-ldap3")
BASE = f"ou=python-ldap3,{args.base}"
PEOPLE = f"ou=people,{BASE}"
TLS = ldap3.Tls(ca_certs_file=args.ca, validate=ssl.CERT_REQUIRED)


def connection(uri=args.uri, tls=TLS, **options):
    server = ldap3.Server(uri, tls=tls, get_info=ldap3.SCHEMA)
    return ldap3.Connection(server, **options)


def signed_in(user=args.bind_dn, password=args.password):
    conn = connection(user=user, password=password)
    check(conn.bind(), True, f"bind as {user}: {conn.result}")
    return conn


def found(conn, text, scope=ldap3.SUBTREE, attributes=("cn",)):
    conn.search(PEOPLE, text, scope, attributes=list(attributes))
    check(conn.result["result"], 0, f"search {text}: {conn.result}")
    return sorted(entry["attributes"]["cn"][0] for entry in conn.response if "attributes" in entry)


step("bind: good and bad")
conn = signed_in()
bad = connection(user=args.bind_dn, password="wrong")
check(bad.bind(), False, "bind with a wrong password")
check(bad.result["result"], 49, "its result code")

step("a certificate of another authority is not believed")
stranger = ldap3.Tls(validate=ssl.CERT_REQUIRED)
try:
    connection(tls=stranger).open()
    check("connected", "refused", "TLS with no CA for it")
except LDAPException:
    pass

step("add")
check(conn.add(BASE, "organizationalUnit"), True, f"add {BASE}: {conn.result}")
check(conn.add(PEOPLE, "organizationalUnit"), True, f"add {PEOPLE}")
check(conn.add(f"ou=old,{PEOPLE}", "organizationalUnit"), True, "add ou=old")
check(conn.add(f"ou=new,{PEOPLE}", "organizationalUnit"), True, "add ou=new")
for number, name in enumerate(["Anna Alpha", "Bert Beta", "Carla Gamma"], start=1):
    uid = name.split()[0].lower()
    attributes = {"uid": uid, "cn": name, "sn": name.split()[1], "mail": f"{uid}@example.com"}
    attributes |= {"uidNumber": number, "gidNumber": 7, "homeDirectory": f"/home/{uid}"}
    added = conn.add(f"uid={uid},ou=old,{PEOPLE}", ["inetOrgPerson", "posixAccount"], attributes)
    check(added, True, f"add {uid}: {conn.result}")
check(conn.add(PEOPLE, "organizationalUnit"), False, "add it again")
check(conn.result["result"], 68, "entryAlreadyExists")

step("search with every kind of filter")
everybody = ["Anna Alpha", "Bert Beta", "Carla Gamma"]
# ldap3 2.9 cannot build (:dn:RULE:=value), a match without an attribute, nor (&) and (|).
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
    ("(uidNumber:1.2.840.113556.1.4.803:=2)", everybody[1:]),
    ("(&(objectClass=person)(!(uid=bert)))", everybody[:1] + everybody[2:]),
    ("(|(uid=anna)(uid=carla))", everybody[:1] + everybody[2:]),
]:
    check(found(conn, text), expected, text)

step("paged search over 10 000 entries")
pages = conn.extend.standard.paged_search(
    args.many, "(objectClass=person)", ldap3.SUBTREE, attributes=["uid"], paged_size=500
)
names = [entry["dn"] for entry in pages if entry["type"] == "searchResEntry"]
check((len(names), len(set(names))), (MANY, MANY), "entries, different entries")

step("modify: add, delete, replace, increment")
anna = f"uid=anna,ou=old,{PEOPLE}"
change = {
    "description": [(ldap3.MODIFY_ADD, ["one", "two"]), (ldap3.MODIFY_DELETE, ["one"])],
    "title": [(ldap3.MODIFY_REPLACE, ["Dr."])],
    "uidNumber": [(ldap3.MODIFY_INCREMENT, [10])],
}
check(conn.modify(anna, change), True, f"modify: {conn.result}")
conn.search(anna, "(objectClass=*)", ldap3.BASE, attributes=["description", "title", "uidNumber"])
values = {name: value for name, value in conn.response[0]["raw_attributes"].items()}
check(values, {"description": [b"two"], "title": [b"Dr."], "uidNumber": [b"11"]}, "values")

step("compare")
check(conn.compare(anna, "title", "dr."), True, f"compare true: {conn.result}")
check(conn.compare(anna, "title", "Prof."), False, "compare false")
check(conn.result["result"], 5, "compareFalse")

step("rename a leaf, then a subtree with a new superior")
check(conn.modify_dn(f"uid=bert,ou=old,{PEOPLE}", "uid=bertram"), True, f"leaf: {conn.result}")
moved = conn.modify_dn(f"ou=old,{PEOPLE}", "ou=moved", new_superior=f"ou=new,{PEOPLE}")
check(moved, True, f"subtree: {conn.result}")
conn.search(f"ou=moved,ou=new,{PEOPLE}", "(objectClass=person)", ldap3.LEVEL, attributes=["uid"])
uids = sorted(entry["attributes"]["uid"][0] for entry in conn.response)
check(uids, ["anna", "bertram", "carla"], "children under the new name")
conn.search(f"ou=old,{PEOPLE}", "(objectClass=*)", ldap3.BASE)
check(conn.result["result"], 32, "noSuchObject under the old name")

step("password modify, and a bind with the new one")
anna = f"uid=anna,ou=moved,ou=new,{PEOPLE}"
check(conn.extend.standard.modify_password(anna, new_password="brand new"), True, "password modify")
own = signed_in(anna, "brand new")

step("who am I")
check(own.extend.standard.who_am_i().lower(), f"dn:{anna}".lower(), "who am I")

step("StartTLS, and no secret without it")
plain = connection(args.starttls_uri, user=args.bind_dn, password=args.password)
check(plain.bind(), not args.confidential, f"bind without TLS: {plain.result}")
check(plain.result["result"], 13 if args.confidential else 0, "its result code")
upgraded = connection(args.starttls_uri, user=args.bind_dn, password=args.password)
upgraded.open()
check(upgraded.start_tls(), True, "StartTLS")
check(upgraded.bind(), True, f"bind after StartTLS: {upgraded.result}")

if args.cert:
    step("SASL EXTERNAL with a client certificate")
    tls = ldap3.Tls(args.key, args.cert, ca_certs_file=args.ca, validate=ssl.CERT_REQUIRED)
    external = connection(
        tls=tls, authentication=ldap3.SASL, sasl_mechanism=ldap3.EXTERNAL, sasl_credentials=""
    )
    check(external.bind(), True, f"EXTERNAL: {external.result}")
    check(external.extend.standard.who_am_i().lower(), f"dn:{args.bind_dn}".lower(), "who am I")

step("abandon: the connection is usable afterwards")
running = ldap3.Connection(
    ldap3.Server(args.uri, tls=TLS), args.bind_dn, args.password, client_strategy=ldap3.ASYNC
)
running.bind()
identifier = running.search(args.many, "(description=*x*)", ldap3.SUBTREE)
running.abandon(identifier)
identifier = running.search(anna, "(objectClass=*)", ldap3.BASE)
response, result = running.get_response(identifier)
check((len(response), result["result"]), (1, 0), "a search after the abandon")
running.unbind()

step("delete")
check(conn.delete(anna), True, f"delete: {conn.result}")
check(conn.delete(anna), False, "delete it again")
check(conn.result["result"], 32, "noSuchObject")
check(conn.delete(f"ou=moved,ou=new,{PEOPLE}"), False, "delete an entry with children")
check(conn.result["result"], 66, "notAllowedOnNonLeaf")
conn.unbind()
print("python-ldap3: done")
sys.exit(0)
