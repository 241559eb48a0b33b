import { hkdfSync } from 'node:crypto';
import { inspect } from 'node:util';
import type { Database } from '@muster/database';
import { openPgliteInMemory } from '@muster/database';
import { encodeActivationRequest, keyId, openPrivateKey, parseProductKey, publicKeyFromJwk } from '@muster/trust';
import { formatUuid } from '@muster/wire-codec';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  activationOf,
  administrator,
  issueKms,
  issueMak,
  keyEncryptionKey,
  newHost,
  newInstallation,
  noonMs,
  openVendor,
} from '../testing/authority.ts';

let database: Database;
beforeAll(async () => {
  database = await openPgliteInMemory();
});
afterAll(() => database.close());

/** Everything in every table, with bytes as hexadecimal digits and as they are. */
async function everyColumn(): Promise<string> {
  const tables = await database.query<{ readonly name: string }>({
    name: 'test.tables',
    text: `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'authority'`,
  });
  expect(tables.length).toBeGreaterThanOrEqual(8);
  const texts: string[] = [];
  for (const { name } of tables) {
    const rows = await database.query<Record<string, unknown>>({ name: `test.${name}`, text: `select * from ${name}` });
    for (const value of rows.flatMap((row) => Object.values(row))) {
      texts.push(value instanceof Uint8Array ? spellings(Buffer.from(value)).join(' ') : String(value));
    }
  }
  return texts.join('\n');
}

/** How bytes may be written. */
function spellings(bytes: Buffer): readonly string[] {
  return [bytes.toString('hex'), bytes.toString('base64'), bytes.toString('base64url'), bytes.toString('latin1')];
}

test('no key and no secret stands in the database, in a log line or in an error', async () => {
  const lines: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line) => lines.push(line) });
  const authority = await openVendor(database, { logger });
  const errors: string[] = [];
  const refused = async (attempt: Promise<unknown>) => {
    const error = await attempt.then(
      () => expect.fail('it was not refused'),
      (each: Error) => each,
    );
    errors.push(inspect(error, { depth: 10, showHidden: true }), error.message);
  };
  const kms = await issueKms(authority, { hostLimit: 1 });
  const mak = await issueMak(authority, { makActivations: 1 });
  const { administration, service } = authority;
  const host = newHost();
  await service.activateHost(activationOf(kms.productKey, host));
  const confirm = (productKey: string) =>
    service.confirmInstallation({
      productKey,
      application: 'windows',
      installation: newInstallation(),
      remoteAddress: '',
    });
  await confirm(mak.productKey);
  const block = (requestedAtMs: number) =>
    encodeActivationRequest({
      productKey: parseProductKey(kms.productKey),
      hostId: formatUuid(host.hostId),
      hostPublicKey: host.key.publicKey,
      hostPlatform: 'server-2008-standard',
      requestedAtMs,
    });
  await administration.confirmActivationRequest({ request: block(noonMs) }, administrator);
  // Each refusal that has a key in its hands.
  await refused(service.activateHost(activationOf(kms.productKey, newHost())));
  await refused(service.activateHost(activationOf(mak.productKey, newHost())));
  await refused(confirm(kms.productKey));
  await refused(confirm(mak.productKey));
  const typo = kms.productKey.replace(/^K./, 'K!');
  await refused(service.activateHost(activationOf(typo, host)));
  await refused(service.activateHost({ ...activationOf(kms.productKey, host), hostPlatform: 'windows-vista' }));
  await refused(administration.confirmActivationRequest({ request: block(noonMs).replace('END', 'END 0') }));
  await administration.revokeKey({ keyId: kms.key?.keyId ?? new Uint8Array(), reason: 'over' });
  await refused(service.activateHost(activationOf(kms.productKey, host)));
  await refused(administration.confirmActivationRequest({ request: block(noonMs) }));

  const [row] = await database.query<{ readonly sealed_root_key: Uint8Array }>({
    name: 'test.root',
    text: 'select sealed_root_key from authority.vendor',
  });
  const purpose = `muster vendor root ${keyId(publicKeyFromJwk(authority.vendor.publicKeyJwk))}`;
  const root = openPrivateKey(row?.sealed_root_key ?? new Uint8Array(), keyEncryptionKey, purpose);
  const context = 'muster vendor authority, hashes of product keys, v1';
  const hashSecret = new Uint8Array(hkdfSync('sha256', keyEncryptionKey, new Uint8Array(), context, 32));
  const keys = [kms.productKey, mak.productKey].flatMap((key) => [key, key.replaceAll('-', ''), typo]);
  const secrets = [
    ...keys.flatMap((key) => [key, key.toLowerCase(), key.slice(0, -6), ...spellings(Buffer.from(key)).slice(0, 3)]),
    ...block(noonMs).split('\n').slice(1, 3),
    ...[root, keyEncryptionKey, hashSecret].flatMap((secret) => spellings(Buffer.from(secret))),
  ];
  const places = { database: await everyColumn(), logs: lines.join('\n'), errors: errors.join('\n') };
  // What is looked for can be found: the last five characters may stand there, and do.
  expect(places.database).toContain(kms.productKey.slice(-5));
  expect(lines.length).toBeGreaterThan(5);
  expect(errors.length).toBeGreaterThan(16);
  for (const [place, text] of Object.entries(places)) {
    expect(secrets.filter((secret) => text.includes(secret), place)).toEqual([]);
  }
});
