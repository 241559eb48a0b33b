import { randomUUID } from 'node:crypto';
import { KeyKind } from '@muster/contracts/vendor';
import { builtInCatalogues } from '@muster/product-groups';
import { canonicalAuditRecord, readAuditRecord, verifyAuditChain, verifyCatalogue } from '@muster/trust';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  activationOf,
  administrator,
  all,
  dayMs,
  emptyAuthority,
  engines,
  issueKms,
  issueMak,
  newHost,
  newInstallation,
  noonMs,
  openAuthority,
  openVendor,
  refusalOf,
  type TestAuthority,
  type TestDatabase,
  trusted,
  windowsText,
} from '../testing/authority.ts';

const acme = builtInCatalogues.get('acme-suite') ?? '';
const nobody = new Uint8Array(16);

describe.each(Object.entries(engines))('on %s, a vendor', (_name, open) => {
  let on: TestDatabase;
  beforeAll(async () => {
    on = await open();
  });
  afterAll(() => on.stop());

  const trail = ({ administration }: TestAuthority, fromSequence = 0) =>
    all(administration.auditTrail({ fromSequence }));
  const records = async (authority: TestAuthority) =>
    (await trail(authority)).map(({ record }) => {
      const read = readAuditRecord(record);
      if (typeof read === 'string') throw new Error(read);
      return read;
    });

  test('is made once, whichever replica is asked, and is the same after a restart', async () => {
    await emptyAuthority(on.database);
    const replicas = [await openAuthority(on.database), await openAuthority(await on.another())];
    expect(await refusalOf(replicas[0]?.administration.getVendor({}) ?? Promise.resolve())).toBe('VENDOR_MISSING');
    const vendors = await Promise.all(
      Array.from({ length: 10 }, (_, index) => {
        const { administration } = replicas[index % 2] as TestAuthority;
        return administration.createVendor({ name: 'Example Vendor' }, administrator);
      }),
    );
    expect(new Set(vendors.map(({ publicKeyJwk }) => publicKeyJwk)).size).toBe(1);
    const again = await openAuthority(on.database);
    expect(await again.administration.getVendor({})).toMatchObject({
      name: 'Example Vendor',
      publicKeyJwk: vendors[0]?.publicKeyJwk,
      createdAtUnixMs: noonMs,
    });
    expect((await records(again)).map(({ action }) => action)).toEqual(['vendor.created']);
    expect(await refusalOf(again.administration.createVendor({ name: 'Other' }))).toBe('SETTING_INVALID');
    expect(await refusalOf(again.administration.createVendor({ name: '' }))).toBe('INPUT_INVALID');
  });

  test('is not opened by another secret, and keys are not found by one', async () => {
    await openVendor(on.database);
    const keyEncryptionKey = new Uint8Array(32).fill(1);
    expect(await refusalOf(openAuthority(on.database, { keyEncryptionKey }))).toBe('DOCUMENT_INVALID');
  });

  test('can do nothing before it is made, and issue nothing before it has a catalogue', async () => {
    await emptyAuthority(on.database);
    const authority = await openAuthority(on.database);
    expect(await refusalOf(authority.administration.signCatalogue({ text: windowsText }))).toBe('VENDOR_MISSING');
    expect(await refusalOf(issueKms(authority))).toBe('VENDOR_MISSING');
    await authority.administration.createVendor({ name: 'Example Vendor' });
    expect(await refusalOf(issueKms(authority))).toBe('CATALOGUE_NOT_FOUND');
    expect(await refusalOf(authority.administration.getCatalogue({}))).toBe('CATALOGUE_NOT_FOUND');
  });

  test('signs a catalogue whose version it counts up, and every replica takes it over', async () => {
    const authority = await openVendor(on.database);
    const other = await openAuthority(await on.another());
    const first = await other.administration.getCatalogue({});
    expect(first).toMatchObject({ catalogue: 'windows-2008', version: 1, signedAtUnixMs: noonMs });
    expect((await verifyCatalogue(first.signedCatalogue, trusted(authority.vendor))).text).toBe(windowsText);
    expect(await authority.administration.signCatalogue({ text: windowsText })).toEqual(first);
    const changed = windowsText.replace('title:', 'title: The new');
    expect(await refusalOf(authority.administration.signCatalogue({ text: changed }))).toBe('CATALOGUE_INVALID');
    const broken = authority.administration.signCatalogue({ text: 'catalogue: [' });
    expect(await refusalOf(broken)).toBe('CATALOGUE_INVALID');
    const next = await authority.administration.signCatalogue({
      text: windowsText.replace(/^version: 1$/m, 'version: 2'),
    });
    expect(await other.administration.getCatalogue({})).toEqual(next);
    expect((await records(authority)).filter(({ action }) => action === 'catalogue.signed')).toMatchObject([
      { before: null, after: { catalogue: 'windows-2008', version: 1 } },
      { before: { catalogue: 'windows-2008', version: 1 }, after: { version: 2 } },
    ]);
  });

  test('issues keys with the usual limits or with its own', async () => {
    const authority = await openVendor(on.database);
    const kms = await issueKms(authority);
    expect(kms.productKey).toMatch(/^K[0-9A-Z]{4}(-[0-9A-Z]{5}){4}$/);
    expect(kms.key).toMatchObject({
      kind: KeyKind.KMS,
      lastFive: kms.productKey.slice(-5),
      application: 'windows',
      productGroup: 'server-group-b',
      customer: 'Contoso',
      issuedAtUnixMs: noonMs,
      expiresAtUnixMs: noonMs + 3_650 * dayMs,
      revokedAtUnixMs: 0,
      hostLimit: 6,
      activationsPerHost: 10,
      certificateDays: 365,
      hosts: 0,
      makActivations: 0,
    });
    const mak = await issueMak(authority, { makActivations: 7, validityDays: 1 });
    expect(mak.productKey).toMatch(/^M/);
    expect(mak.key).toMatchObject({
      kind: KeyKind.MAK,
      hostLimit: 0,
      makActivations: 7,
      makActivationsUsed: 0,
      expiresAtUnixMs: noonMs + dayMs,
    });
    expect(await authority.administration.getKey({ keyId: mak.key?.keyId ?? nobody })).toEqual(mak.key);
  });

  test('cannot issue or change a key outside the ranges, for a group that is not there, or of no kind', async () => {
    const authority = await openVendor(on.database);
    const settings: readonly Parameters<typeof issueKms>[1][] = [
      { hostLimit: 0 },
      { hostLimit: 1_000_001 },
      { activationsPerHost: 0 },
      { activationsPerHost: 1_001 },
      { certificateDays: 0 },
      { certificateDays: 3_651 },
      { makActivations: 1 },
      { validityDays: 0 },
      { validityDays: 36_501 },
      { productGroup: 'office' },
      { application: 'office' },
    ];
    for (const each of settings) expect(await refusalOf(issueKms(authority, each))).toBe('SETTING_INVALID');
    for (const each of [
      { kind: KeyKind.UNSPECIFIED },
      { kind: 7 as KeyKind },
      { customer: '' },
      { customer: 'a\nb' },
    ]) {
      expect(await refusalOf(issueKms(authority, each))).toBe('INPUT_INVALID');
    }
    const { makActivations: _, ...none } = { makActivations: 0 };
    expect(await refusalOf(issueMak(authority, { ...none, hostLimit: 5 }))).toBe('SETTING_INVALID');
    expect(await refusalOf(issueMak(authority, { makActivations: 10_000_001 }))).toBe('SETTING_INVALID');
    const keyId = (await issueMak(authority)).key?.keyId ?? nobody;
    const { administration } = authority;
    expect(await refusalOf(administration.changeKey({ keyId, hostLimit: 5 }))).toBe('SETTING_INVALID');
    expect(await refusalOf(administration.changeKey({ keyId, expiresAtUnixMs: noonMs }))).toBe('SETTING_INVALID');
    expect(await refusalOf(administration.changeKey({ keyId: nobody, makActivations: 5 }))).toBe('KEY_UNKNOWN');
    expect(await refusalOf(administration.revokeKey({ keyId: nobody, reason: '' }))).toBe('KEY_UNKNOWN');
    expect(await refusalOf(administration.getKey({ keyId: new Uint8Array(3) }))).toBe('INPUT_INVALID');
    expect(await refusalOf(all(administration.listHosts({ keyId: nobody })))).toBe('KEY_UNKNOWN');
    expect(await refusalOf(all(administration.listInstallations({ keyId: new Uint8Array(3) })))).toBe('INPUT_INVALID');
  });

  test('keeps its keys under another catalogue, and those of a group that is gone activate nothing', async () => {
    const authority = await openVendor(on.database);
    const { productKey } = await issueKms(authority);
    const mak = await issueMak(authority);
    await authority.administration.signCatalogue({ text: acme });
    expect(await refusalOf(authority.service.activateHost(activationOf(productKey, newHost())))).toBe('KEY_INVALID');
    const confirmed = authority.service.confirmInstallation({
      productKey: mak.productKey,
      application: 'windows',
      installation: newInstallation(),
      remoteAddress: '',
    });
    expect(await refusalOf(confirmed)).toBe('MAK_WRONG_GROUP');
  });

  test('lists a thousand keys in the order of their issue, by customer, kind and application', async () => {
    const authority = await openVendor(on.database);
    const wanted: string[] = [];
    for (let index = 0; index < 1_001; index += 1) {
      if (index % 3 === 0) authority.clock.advance(1);
      const issue = index % 2 === 0 ? issueKms : issueMak;
      const { key } = await issue(authority, { customer: `Customer ${index % 5}` });
      if (index % 10 === 6) wanted.push(Buffer.from(key?.keyId ?? nobody).toString('hex'));
    }
    const list = (request: { customer?: string; kind?: KeyKind; application?: string }) =>
      all(authority.administration.listKeys({ customer: '', kind: KeyKind.UNSPECIFIED, application: '', ...request }));
    const everything = await list({});
    expect(everything).toHaveLength(1_001);
    const times = everything.map(({ issuedAtUnixMs }) => issuedAtUnixMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const some = await list({ customer: 'Customer 1', kind: KeyKind.KMS, application: 'windows' });
    expect(new Set(some.map(({ keyId }) => Buffer.from(keyId).toString('hex')))).toEqual(new Set(wanted));
    expect(await list({ application: 'office' })).toEqual([]);
    const { ok } = await verifyAuditChain(await trail(authority));
    expect(ok).toBe(true);
  });

  test('finds every act and every use in the trail, with who, from where, before and after', async () => {
    const authority = await openVendor(on.database);
    const { administration, service, clock } = authority;
    const kms = await issueKms(authority);
    const keyId = kms.key?.keyId ?? nobody;
    await administration.changeKey({ keyId, hostLimit: 9 }, administrator);
    await administration.changeKey({ keyId, hostLimit: 9 }, administrator);
    const host = newHost();
    const asked = activationOf(kms.productKey, host);
    await service.activateHost(asked, { role: undefined, address: '192.0.2.1' });
    await service.activateHost(asked, { role: undefined, address: '192.0.2.1' });
    const mak = await issueMak(authority);
    clock.advance(5);
    const installations = [newInstallation(), newInstallation()];
    const batch = { productKey: mak.productKey, application: 'windows', installations };
    await service.confirmInstallations(batch);
    await service.confirmInstallations(batch);
    await administration.revokeKey({ keyId, reason: 'leaked “once”' }, administrator);
    await administration.revokeKey({ keyId, reason: 'again' }, administrator);
    const found = (await records(authority)).slice(2);
    expect(found.map(({ action, actor, address }) => [action, actor, address])).toEqual([
      ['key.issued', 'administrator', '10.0.0.1'],
      ['key.changed', 'administrator', '10.0.0.1'],
      ['host.activated', 'anonymous', '192.0.2.1'],
      ['key.issued', 'administrator', '10.0.0.1'],
      ['installation.confirmed', 'local', ''],
      ['installation.confirmed', 'local', ''],
      ['key.revoked', 'administrator', '10.0.0.1'],
    ]);
    expect(found[1]).toMatchObject({ before: { hostLimit: 6 }, after: { hostLimit: 9, customer: 'Contoso' } });
    expect(found[2]).toMatchObject({ before: { hosts: 0, activations: 0 }, after: { hosts: 1, activations: 1 } });
    expect(found[5]).toMatchObject({ atUnixMs: noonMs + 5, before: { used: 1 }, after: { used: 2 } });
    expect(found[6]).toMatchObject({
      before: { revoked: false },
      after: { revoked: true, revocationReason: 'leaked “once”' },
    });
    const { auditHead } = await administration.getVendor({});
    expect(auditHead?.sequence).toBe(9);
    expect(await verifyAuditChain(await trail(authority), auditHead === undefined ? [] : [auditHead])).toMatchObject({
      ok: true,
      head: { sequence: 9, hash: auditHead?.hash },
    });
    expect(await trail(authority, 8)).toEqual((await trail(authority)).slice(7));
  });

  test('has records in the same canonical form, whatever people write', async () => {
    const authority = await openVendor(on.database);
    const printable = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 30 })
      .filter((text) => /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u.test(text));
    const hard = fc.constantFrom('"\\/', '\\u0000', 'ü€𝄞', '{"a":1}', "'; drop table x; --", '\u{7e}\u{a0}', '$1 %s');
    await fc.assert(
      fc.asyncProperty(fc.oneof(printable, hard), async (customer) => {
        const { key } = await issueKms(authority, { customer });
        expect(key?.customer).toBe(customer);
        const last = (await records(authority)).at(-1);
        expect(last?.after?.customer).toBe(customer);
      }),
      { numRuns: 60 },
    );
    for (const { record } of await trail(authority)) {
      const read = readAuditRecord(record);
      expect(typeof read === 'string' ? read : canonicalAuditRecord(read)).toBe(record);
    }
    expect(await verifyAuditChain(await trail(authority))).toMatchObject({ ok: true });
  });

  test('cannot change the trail by ordinary means, and finds what was changed by others', async () => {
    const authority = await openVendor(on.database);
    for (let index = 0; index < 20; index += 1) await issueKms(authority);
    const anchor = (await authority.administration.getVendor({})).auditHead ?? { sequence: 0, hash: nobody };
    // Names of statements are unique, and PostgreSQL keeps 63 characters of them.
    const run = (text: string) => on.database.query({ name: `test.${randomUUID()}`, text });
    for (const text of [
      'update authority.audit_record set record = record where sequence = 3',
      'delete from authority.audit_record where sequence = 3',
      'truncate authority.audit_record',
    ]) {
      await expect(run(text)).rejects.toThrow('the audit trail is only ever added to');
    }
    const whole = await trail(authority);
    expect(await verifyAuditChain(whole, [anchor])).toMatchObject({ ok: true });
    await run('alter table authority.audit_record disable trigger user');
    const verify = async () => verifyAuditChain(await trail(authority), [anchor]);
    await run(`update authority.audit_record set record = replace(record, 'Contoso', 'Fabrikam') where sequence = 7`);
    expect(await verify()).toMatchObject({ ok: false, sequence: 7 });
    await run(`update authority.audit_record set record = replace(record, 'Fabrikam', 'Contoso') where sequence = 7`);
    expect(await verify()).toMatchObject({ ok: true });
    await run('delete from authority.audit_record where sequence = 9');
    expect(await verify()).toMatchObject({ ok: false, sequence: 9 });
    await run('delete from authority.audit_record where sequence > 8');
    expect(await verifyAuditChain(await trail(authority))).toMatchObject({ ok: true, head: { sequence: 8 } });
    expect(await verify()).toMatchObject({ ok: false, sequence: 9 });
  });
});
