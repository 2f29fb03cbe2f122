// A full scenario with the npm client ldapts. Ends with exit code 1 at the first mismatch.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isDeepStrictEqual, parseArgs } from 'node:util';

// The client lives under target/, which is no parent of this file.
const require = createRequire(process.env.PEERS_NPM + '/');
const { Attribute, Change, Client, SASL_MECHANISMS } = require('ldapts');

const text = { type: 'string' };
const { values: args } = parseArgs({
  options: {
    uri: text, 'starttls-uri': text, ca: text, 'bind-dn': text, 'password-file': text,
    base: text, many: text, cert: text, key: text, confidential: { type: 'boolean' },
  },
});
const admin = args['bind-dn'];
const password = readFileSync(args['password-file'], 'utf8').trimEnd();
const ca = [readFileSync(args.ca)];
const base = `ou=ldapts,${args.base}`;
const people = `ou=people,${base}`;

const step = (what) => console.log(`- ${what}`);

function check(got, expected, what) {
  if (isDeepStrictEqual(got, expected)) return;
  console.error(`MISMATCH: ${what}\n  got      ${JSON.stringify(got)}\n  expected ${JSON.stringify(expected)}`);
  process.exit(1);
}

// The result code of a call: 0 when it succeeds.
async function code(call) {
  try {
    await call();
    return 0;
  } catch (error) {
    return error.code ?? String(error);
  }
}

const connect = (tls = {}) => new Client({ url: args.uri, tlsOptions: { ca, ...tls } });
const plain = () => new Client({ url: args['starttls-uri'] });

async function found(client, filter) {
  const { searchEntries } = await client.search(people, { scope: 'sub', filter, attributes: ['cn'] });
  return searchEntries.map((entry) => entry.cn).sort();
}

step('bind: good and bad');
const client = connect();
await client.bind(admin, password);
const bad = connect();
check(await code(() => bad.bind(admin, 'wrong')), 49, 'bind with a wrong password');
await bad.unbind();

step('a certificate of another authority is not believed');
const stranger = new Client({ url: args.uri });
const untrusted = await code(() => stranger.bind(admin, 'x'));
check(typeof untrusted, 'string', `TLS with no CA for it: ${untrusted}`);

step('add');
for (const dn of [base, people, `ou=old,${people}`, `ou=new,${people}`]) {
  await client.add(dn, { objectClass: 'organizationalUnit' });
}
const everybody = ['Anna Alpha', 'Bert Beta', 'Carla Gamma'];
for (const [index, cn] of everybody.entries()) {
  const [first, sn] = cn.split(' ');
  const uid = first.toLowerCase();
  await client.add(`uid=${uid},ou=old,${people}`, {
    objectClass: ['inetOrgPerson', 'posixAccount'], uid, cn, sn, mail: `${uid}@example.com`,
    uidNumber: String(index + 1), gidNumber: '7', homeDirectory: `/home/${uid}`,
  });
}
const again = () => client.add(people, { objectClass: 'organizationalUnit' });
check(await code(again), 68, 'add it again: entryAlreadyExists');

step('search with every kind of filter');
const [anna, bert, carla] = everybody;
for (const [filter, expected] of [
  ['(uid=anna)', [anna]],
  ['(cn=ANNA  ALPHA)', [anna]],
  ['(cn=an*)', [anna]],
  ['(cn=*r*t*)', [bert]],
  ['(cn=*amma)', [carla]],
  ['(uidNumber>=2)', [bert, carla]],
  ['(uidNumber<=1)', [anna]],
  ['(mail=*)', everybody],
  ['(sn~=beta)', [bert]],
  ['(cn:caseExactMatch:=Anna Alpha)', [anna]],
  ['(cn:caseExactMatch:=anna alpha)', []],
  ['(cn:2.5.13.2:=anna alpha)', [anna]],
  ['(&(ou:dn:=old)(objectClass=person))', everybody],
  ['(uidNumber:1.2.840.113556.1.4.803:=2)', [bert, carla]],
  ['(&(objectClass=person)(!(uid=bert)))', [anna, carla]],
  ['(|(uid=anna)(uid=carla))', [anna, carla]],
]) {
  check(await found(client, filter), expected, filter);
}

step('paged search over 10 000 entries');
const names = [];
let pages = 0;
const everyone = { scope: 'sub', filter: '(objectClass=person)', attributes: ['uid'], paged: { pageSize: 500 } };
for await (const page of client.searchPaginated(args.many, everyone)) {
  names.push(...page.searchEntries.map((entry) => entry.dn));
  pages += 1;
}
check([names.length, new Set(names).size], [10000, 10000], `entries, different ones, in ${pages} pages`);

step('modify: add, delete, replace');
let dn = `uid=anna,ou=old,${people}`;
const change = (operation, type, values) =>
  new Change({ operation, modification: new Attribute({ type, values }) });
await client.modify(dn, [
  change('add', 'description', ['one', 'two']),
  change('delete', 'description', ['one']),
  change('replace', 'title', ['Dr.']),
]);
const read = await client.search(dn, { scope: 'base', attributes: ['description', 'title'] });
const { dn: _, ...values } = read.searchEntries[0];
check(values, { description: 'two', title: 'Dr.' }, 'values');
const missing = () => client.modify(dn, change('delete', 'description', ['absent']));
check(await code(missing), 16, 'delete a value that is not there: noSuchAttribute');

step('compare');
check(await client.compare(dn, 'title', 'dr.'), true, 'compare true');
check(await client.compare(dn, 'title', 'Prof.'), false, 'compare false');

step('rename a leaf, then a subtree with a new superior');
await client.modifyDN(`uid=bert,ou=old,${people}`, 'uid=bertram');
const moved = `ou=moved,ou=new,${people}`;
await client.modifyDN(`ou=old,${people}`, moved);
const children = await client.search(moved, { scope: 'one', filter: '(objectClass=person)' });
check(children.searchEntries.map((entry) => entry.uid).sort(), ['anna', 'bertram', 'carla'], 'children');
const gone = () => client.search(`ou=old,${people}`, { scope: 'base' });
check(await code(gone), 32, 'search under the old name: noSuchObject');

step('password modify, and a bind with the new one');
dn = `uid=anna,${moved}`;
// PasswdModifyRequestValue (RFC 3062 §2): userIdentity [0], newPasswd [2]; all short.
const field = (tag, value) => Buffer.concat([Buffer.from([tag, Buffer.byteLength(value)]), Buffer.from(value)]);
const fields = Buffer.concat([field(0x80, dn), field(0x82, 'brand new')]);
await client.exop('1.3.6.1.4.1.4203.1.11.1', Buffer.concat([Buffer.from([0x30, fields.length]), fields]));
const own = connect();
await own.bind(dn, 'brand new');

step('who am I');
const identity = await own.exop('1.3.6.1.4.1.4203.1.11.3');
check(String(identity.value).toLowerCase(), `dn:${dn}`.toLowerCase(), 'who am I');
await own.unbind();

step('StartTLS, and no secret without it');
const bare = plain();
check(await code(() => bare.bind(admin, password)), args.confidential ? 13 : 0, 'bind without TLS');
await bare.unbind();
const upgraded = plain();
await upgraded.startTLS({ ca, servername: 'localhost' });
await upgraded.bind(admin, password);
await upgraded.unbind();

if (args.cert) {
  step('SASL EXTERNAL with a client certificate');
  const external = connect({ cert: readFileSync(args.cert), key: readFileSync(args.key) });
  await external.bind('EXTERNAL');
  const who = await external.exop('1.3.6.1.4.1.4203.1.11.3');
  check(String(who.value).toLowerCase(), `dn:${admin}`.toLowerCase(), 'who am I');
  await external.unbind();
}

step('delete');
await client.del(dn);
check(await code(() => client.del(dn)), 32, 'delete it again: noSuchObject');
check(await code(() => client.del(moved)), 66, 'delete with children: notAllowedOnNonLeaf');
await client.unbind();
console.log('ldapts: done');
