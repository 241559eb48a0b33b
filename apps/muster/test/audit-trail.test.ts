import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readAuditRecord } from '@muster/trust';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryDirectory } from './support/cleanup.ts';
import type { Finished } from './support/muster-process.ts';
import { startVendorProcess, type VendorProcess } from './support/vendor-process.ts';

const files = temporaryDirectory();
const fileOf = (name: string) => join(files, name);

let vendor: VendorProcess;
let productKey: string;
/** Where the trail ended when the vendor had issued a key. */
let anchor: string;
/** Where it ends, after the key was changed and revoked. */
let head: string;

beforeAll(async () => {
  vendor = await startVendorProcess();
});

const audit = (parameters: readonly string[], input?: string) => vendor.muster(['audit', ...parameters], input);
/** Verifies a file as somebody does who has neither the authority nor a certificate. */
const verifyFile = (file: string, ...parameters: readonly string[]) =>
  vendor.run(['audit', 'verify', '--file', file, ...parameters]);

async function vendorDocument(...parameters: readonly string[]) {
  const finished = await vendor.muster(['vendor', ...parameters, '--json']);
  expect(finished, finished.stderr).toMatchObject({ code: 0 });
  return JSON.parse(finished.stdout);
}

const headOf = async () => (await vendorDocument('show')).auditHead as string;

async function change(...statements: readonly string[]): Promise<void> {
  for (const text of statements) {
    changes += 1;
    await vendor.database.query({ name: `test.change_${changes}`, text });
  }
}
let changes = 0;

/** What somebody does who owns the database, and can put what keeps the trail out of force. */
async function tamper(...statements: readonly string[]): Promise<void> {
  await change(
    'create table test_trail as select * from authority.audit_record',
    'alter table authority.audit_record disable trigger user',
    ...statements,
  );
}

/** Puts the trail back as it was. */
async function restore(): Promise<void> {
  await change(
    'truncate authority.audit_record',
    'insert into authority.audit_record select * from test_trail',
    'alter table authority.audit_record enable trigger user',
    'drop table test_trail',
  );
}

/** The answers of `audit verify` to a trail that was tampered with: without what was kept elsewhere, and with it. */
async function verifyTampered(...statements: readonly string[]): Promise<{ alone: Finished; anchored: Finished }> {
  await tamper(...statements);
  try {
    return { alone: await audit(['verify']), anchored: await audit(['verify', '--anchor', anchor, '--anchor', head]) };
  } finally {
    await restore();
  }
}

/** A failed verification is one line that names the record. */
function brokenAt(record: number, problem: string) {
  return {
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(
      new RegExp(`^error AUDIT_BROKEN: The audit trail is broken at record ${record}: [^\\n]*${problem}[^\\n]*\\n$`),
    ),
  };
}

describe('the audit trail of a vendor', () => {
  test('is nothing before there is a vendor', async () => {
    expect(await audit(['verify'])).toMatchObject({ code: 1, stderr: expect.stringContaining('VENDOR_MISSING') });
  });

  test('grows by one record for each act, and is whole', async () => {
    await vendorDocument('create', 'Example Vendor');
    await vendorDocument('catalogue', 'sign', 'windows-2008');
    const kms = ['--kind', 'KMS', '--application', 'windows', '--group', 'server-group-c', '--customer', 'Contoso'];
    const issued = await vendorDocument('key', 'issue', ...kms);
    productKey = issued.productKey;
    anchor = await headOf();
    await vendorDocument('key', 'change', issued.id, '--hosts', '9');
    await vendorDocument('key', 'revoke', issued.id, '--reason', 'lost', '--confirm', issued.lastFive);
    head = await headOf();
    expect(anchor).toMatch(/^3:/);
    expect(head).toMatch(/^5:/);
    expect(await audit(['verify'])).toMatchObject({
      code: 0,
      stdout: `The audit trail is whole: 5 records, up to ${head}\n`,
      stderr: expect.stringContaining('--anchor'),
    });
    const anchored = await audit(['verify', '--anchor', anchor, '--anchor', head.toUpperCase(), '--json']);
    expect(anchored).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(anchored.stdout)).toEqual({ whole: true, records: 5, auditHead: head, anchors: 2 });
  });

  test('shows an edited, a removed, an added and a swapped record at its place', async () => {
    const edited = await verifyTampered(
      `update authority.audit_record set record = replace(record, 'Contoso', 'Fabrikam') where sequence = 3`,
    );
    expect(edited.alone).toMatchObject(brokenAt(3, 'does not fit its hash'));
    const removed = await verifyTampered('delete from authority.audit_record where sequence = 2');
    expect(removed.alone).toMatchObject(brokenAt(2, 'the record 3 stands in its place'));
    const first = await verifyTampered('delete from authority.audit_record where sequence = 1');
    expect(first.alone).toMatchObject(brokenAt(1, 'the record 2 stands in its place'));
    const added = await verifyTampered(
      `insert into authority.audit_record
       select 6, replace(record, '"sequence":5', '"sequence":6'), hash from authority.audit_record where sequence = 5`,
    );
    expect(added.alone).toMatchObject(brokenAt(6, 'does not fit its hash'));
    const swapped = await verifyTampered(
      'update authority.audit_record set sequence = -sequence where sequence in (3, 4)',
      'update authority.audit_record set sequence = 7 + sequence where sequence < 0',
    );
    expect(swapped.alone).toMatchObject(brokenAt(3, 'the record 4 stands in its place'));
    for (const { anchored } of [edited, removed, first, added, swapped]) expect(anchored).toMatchObject({ code: 1 });
    expect(await audit(['verify', '--anchor', head])).toMatchObject({ code: 0 });
  });

  test('shows what was cut off, removed as a whole or written anew, by an end that was kept elsewhere', async () => {
    const cut = await verifyTampered('delete from authority.audit_record where sequence > 3');
    expect(cut.alone).toMatchObject({ code: 0, stdout: expect.stringContaining('3 records') });
    expect(cut.anchored).toMatchObject(brokenAt(4, 'the records up to 5 are cut off'));
    const all = await verifyTampered('delete from authority.audit_record');
    expect(all.alone).toMatchObject(brokenAt(1, 'all records are removed'));
    expect(all.anchored).toMatchObject(brokenAt(1, 'the records up to 5 are cut off'));
    // Whoever knows how it is made can write a chain that is whole in itself.
    const anew = await verifyTampered(
      'delete from authority.audit_record',
      ...[1, 2, 3, 4, 5].map(
        (sequence) =>
          `select authority.append_audit(now(), 'administrator', '', 'key.changed', 'forged-${sequence}', null, null)`,
      ),
    );
    expect(anew.alone).toMatchObject({ code: 0, stdout: expect.stringContaining('5 records') });
    expect(anew.anchored).toMatchObject(brokenAt(3, 'written anew'));
  });

  test('takes what a spoilt record holds to no terminal', async () => {
    const { alone } = await verifyTampered(
      `update authority.audit_record
       set record = replace(record, '{"sequence"', '{"\\u001b[2J":1,"sequence"') where sequence = 2`,
    );
    expect(alone).toMatchObject(brokenAt(2, '\\?\\[2J'));
    expect(alone.stderr).not.toContain('\u001b');
  });
});

describe('an export of the audit trail', () => {
  const whole = () => fileOf('audit.ndjson');

  test('is a file for its owner alone, or standard output, and verified without a network', async () => {
    const written = await audit(['export', '--output', whole()]);
    expect(written).toMatchObject({ code: 0, stdout: `${whole()} holds 5 records, up to ${head}\n` });
    expect(statSync(whole()).mode & 0o777).toBe(0o600);
    const text = readFileSync(whole(), 'utf8');
    expect((await audit(['export'])).stdout).toBe(text);
    const again = await audit(['export', '--output', fileOf('again.ndjson'), '--json']);
    expect(JSON.parse(again.stdout)).toEqual({ file: fileOf('again.ndjson'), records: 5, auditHead: head });
    const actions = text
      .trimEnd()
      .split('\n')
      .map((line) => readAuditRecord(JSON.parse(line).record))
      .map((record) => (typeof record === 'string' ? record : `${record.actor} ${record.address} ${record.action}`));
    expect(actions).toEqual(
      ['vendor.created', 'catalogue.signed', 'key.issued', 'key.changed', 'key.revoked'].map(
        (action) => `administrator 127.0.0.1 ${action}`,
      ),
    );
    const answer = { code: 0, stdout: `The audit trail is whole: 5 records, up to ${head}\n` };
    expect(await verifyFile(whole())).toMatchObject(answer);
    expect(await verifyFile(whole(), '--anchor', anchor, '--anchor', head)).toMatchObject({ ...answer, stderr: '' });
    expect(await vendor.run(['audit', 'verify', '--file', '-'], text)).toMatchObject(answer);
    for (const form of [productKey, productKey.replaceAll('-', '')]) expect(text).not.toContain(form);
  });

  test('shows what was done to it', async () => {
    const lines = readFileSync(whole(), 'utf8').trimEnd().split('\n');
    const [one = '', two = '', three = '', four = '', five = ''] = lines;
    const verify = (changed: readonly string[], ...parameters: readonly string[]) => {
      const file = fileOf('changed.ndjson');
      writeFileSync(file, changed.map((line) => `${line}\n`).join(''));
      return verifyFile(file, ...parameters);
    };
    const edited = three.replace('Contoso', 'Fabrikam');
    expect(await verify([one, two, edited, four, five])).toMatchObject(brokenAt(3, 'does not fit its hash'));
    expect(await verify([one, three, four, five])).toMatchObject(brokenAt(2, 'the record 3 stands in its place'));
    expect(await verify([one, two, four, three, five])).toMatchObject(brokenAt(3, 'the record 4 stands in its place'));
    expect(await verify([one, two], '--anchor', anchor)).toMatchObject(brokenAt(3, 'are cut off'));
    const told = await verify([one, three], '--json');
    expect(told).toMatchObject({ code: 1, stderr: expect.stringContaining('AUDIT_BROKEN') });
    expect(JSON.parse(told.stdout)).toMatchObject({ whole: false, brokenAt: 2 });
    const unreadable = { code: 2, stdout: '', stderr: expect.stringMatching(/^error DOCUMENT_INVALID: [^\n]*\n$/) };
    expect(await verify([])).toMatchObject(unreadable);
    expect(await verify([one, two.slice(0, 100)])).toMatchObject(unreadable);
    expect(await verify([one, '', two])).toMatchObject(unreadable);
    expect(await verify(['x'.repeat(3 * 1024 * 1024)])).toMatchObject(unreadable);
  });

  test('of a spoilt trail holds it as it stands', async () => {
    await tamper(`update authority.audit_record set record = 'spoilt' where sequence = 2`);
    try {
      const output = fileOf('spoilt.ndjson');
      expect(await audit(['export', '--output', output])).toMatchObject({ code: 0 });
      expect(readFileSync(output, 'utf8').split('\n')[1]).toContain('"record":"spoilt"');
      expect(await verifyFile(output)).toMatchObject(brokenAt(2, 'it is no JSON'));
    } finally {
      await restore();
    }
  });

  test('says in one line what is wrong', async () => {
    const other = `3:${'0'.repeat(64)}`;
    for (const [parameters, code, error] of [
      [['verify', '--anchor', anchor, '--anchor', other], 2, 'INPUT_INVALID'],
      [['verify', '--file', fileOf('missing.ndjson')], 2, 'INPUT_INVALID'],
      [['export', '--output', fileOf('no/such/place')], 1, 'OUTPUT_UNWRITABLE'],
    ] as const) {
      expect(await audit(parameters)).toMatchObject({
        code,
        stdout: '',
        stderr: expect.stringMatching(new RegExp(`^error ${error}: [^\\n]+\\.\\n$`)),
      });
    }
    for (const wrong of ['3', '0:00', `0:${'0'.repeat(64)}`, `1:${'g'.repeat(64)}`]) {
      expect(await audit(['verify', '--anchor', wrong])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('SEQUENCE:HASH'),
      });
    }
    expect(await vendor.run(['audit', 'verify', '--authority', '127.0.0.1:1', '--plain'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error UNAVAILABLE: [^\n]*--authority[^\n]*\n$/),
    });
  });
});
