import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VendorAuthority } from '@muster/contracts/vendor';
import { publicKeyFromJwk, signingKeyFromSeed, type VendorKeys, vendorKeys } from '@muster/trust';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { ConfirmationsFile } from '../src/mak-confirmations.ts';
import type { NamedInstallation } from '../src/mak-lines.ts';
import { type SubmitParts, submitInstallations } from '../src/mak-submit.ts';
import { temporaryDirectory } from './support/cleanup.ts';
import { issueMak, newInstallation, type TestMak } from './support/mak.ts';
import { openTestVendor, type TestVendor } from './support/vendor.ts';

const directory = temporaryDirectory();

let vendor: TestVendor;
let trusted: VendorKeys;
let files = 0;

beforeAll(async () => {
  vendor = await openTestVendor();
  trusted = vendorKeys(publicKeyFromJwk(vendor.publicKeyJwk));
});

/** The path of a file that is not there yet. */
function newFile(): string {
  files += 1;
  return join(directory, `fleet-${files}.ndjson.confirmed`);
}

const installationsOf = (count: number): NamedInstallation[] => Array.from({ length: count }, () => newInstallation());

/** One run, as the command makes it. */
async function submit(
  installations: readonly NamedInstallation[],
  path: string,
  mak: TestMak,
  change: Partial<SubmitParts> = {},
) {
  const file = new ConfirmationsFile(path);
  try {
    const parts = { authority: vendor.authority, productKey: mak.text, vendorKeys: trusted, batchSize: 3, ...change };
    return await submitInstallations(installations, file, parts);
  } finally {
    file.close();
  }
}

/** What a file answers, by installation id. */
function answersOf(path: string) {
  const file = new ConfirmationsFile(path);
  file.close();
  return file.answers;
}

/** An authority that a process never hears from again at a moment: before it does anything, or after it has done all. */
function lostAt(call: number, moment: 'before' | 'after'): Pick<VendorAuthority, 'confirmInstallations'> {
  let calls = 0;
  return {
    async confirmInstallations(request) {
      calls += 1;
      if (calls === call && moment === 'before') throw new Error('killed');
      const response = await vendor.authority.confirmInstallations(request);
      if (calls === call) throw new Error('killed');
      return response;
    },
  };
}

describe('a run that is killed', () => {
  test('at any byte that it writes is repeated, and ends with each installation confirmed once', async () => {
    const installations = installationsOf(10);
    const mak = await issueMak(vendor.administration, 10);
    const whole = newFile();
    await submit(installations, whole, mak);
    const bytes = readFileSync(whole);
    const answers = new Map(answersOf(whole));
    expect(answers.size).toBe(10);
    // The file only grows: whatever a killed process leaves is a beginning of it.
    const property = fc.asyncProperty(fc.nat(bytes.length), async (length) => {
      const torn = newFile();
      writeFileSync(torn, bytes.subarray(0, length));
      const { before, confirmed } = await submit(installations, torn, mak);
      expect(before + confirmed).toBe(10);
      expect(answersOf(torn)).toEqual(answers);
      rmSync(torn);
    });
    await fc.assert(property, { numRuns: 150, examples: [[0], [1], [bytes.length]] });
    expect(await mak.used()).toBe(10);
  });

  test('before or after any call loses nothing and uses nothing twice', async () => {
    const steps = fc.array(fc.record({ call: fc.integer({ min: 1, max: 5 }), after: fc.boolean() }), { maxLength: 4 });
    const property = fc.asyncProperty(steps, fc.integer({ min: 1, max: 12 }), async (kills, count) => {
      const installations = installationsOf(count);
      const mak = await issueMak(vendor.administration, count);
      const path = newFile();
      for (const { call, after } of kills) {
        await submit(installations, path, mak, { authority: lostAt(call, after ? 'after' : 'before') }).catch(
          (error: Error) => expect(error.message).toBe('killed'),
        );
      }
      await submit(installations, path, mak);
      const answers = answersOf(path);
      expect([...answers.keys()].sort()).toEqual(installations.map((each) => each.installationId).sort());
      expect([...answers.values()].every((answer) => 'confirmation' in answer)).toBe(true);
      expect(await mak.used()).toBe(count);
      rmSync(path);
    });
    await fc.assert(property, { numRuns: 40 });
  });
});

describe('a run', () => {
  test('that is repeated asks for nothing', async () => {
    const installations = installationsOf(4);
    const mak = await issueMak(vendor.administration, 4);
    const path = newFile();
    expect(await submit(installations, path, mak)).toEqual({
      before: 0,
      confirmed: 4,
      refused: 0,
      left: 0,
      remaining: 0,
    });
    const before = readFileSync(path, 'utf8');
    const nobody = { confirmInstallations: () => Promise.reject(new Error('it was asked')) };
    expect(await submit(installations, path, mak, { authority: nobody })).toMatchObject({ before: 4, confirmed: 0 });
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  test('keeps refusals, and asks for them again with the next MAK', async () => {
    const vista = installationsOf(5);
    const server = newInstallation('server-2008-standard');
    const installations = [...vista, server];
    const path = newFile();
    const first = await issueMak(vendor.administration, 3);
    expect(await submit(installations, path, first)).toMatchObject({ confirmed: 3, refused: 3, remaining: 0 });
    const codes = [...answersOf(path).values()].map((answer) => ('code' in answer ? answer.code : ''));
    expect(codes.toSorted()).toEqual(['', '', '', 'MAK_EXHAUSTED', 'MAK_EXHAUSTED', 'MAK_WRONG_GROUP']);
    expect(await submit(installations, path, await issueMak(vendor.administration, 5))).toMatchObject({
      ...{ before: 3, confirmed: 2, refused: 1, remaining: 3 },
    });
    const ofServers = await issueMak(vendor.administration, 1, 'server-group-b');
    expect(await submit(installations, path, ofServers)).toMatchObject({ before: 5, confirmed: 1, refused: 0 });
    expect(await first.used()).toBe(3);
  });

  test('asks for the installations of each application apart, in batches', async () => {
    const office = installationsOf(4).map((each) => ({ ...each, application: 'office-2010' }));
    const windows = installationsOf(4);
    const mixed = windows.flatMap((each, place) => [each, office[place] ?? each]);
    const calls: { readonly application: string; readonly asked: number }[] = [];
    const authority: Pick<VendorAuthority, 'confirmInstallations'> = {
      confirmInstallations(request) {
        calls.push({ application: request.application, asked: request.installations.length });
        return vendor.authority.confirmInstallations(request);
      },
    };
    const progress: (readonly [number, number])[] = [];
    const onProgress = (...step: readonly [number, number]) => progress.push(step);
    const mak = await issueMak(vendor.administration, 8);
    const submitted = await submit(mixed, newFile(), mak, { authority, onProgress });
    expect(submitted).toMatchObject({ confirmed: 4, refused: 4 });
    expect(calls).toEqual([
      ...[3, 1].map((asked) => ({ application: 'windows', asked })),
      ...[3, 1].map((asked) => ({ application: 'office-2010', asked })),
    ]);
    expect(progress).toEqual([3, 4, 7, 8].map((answered) => [answered, 8]));
  });

  test('ends before the next batch when it is interrupted', async () => {
    const interrupted = new AbortController();
    const installations = installationsOf(7);
    const path = newFile();
    const mak = await issueMak(vendor.administration, 7);
    const parts = { signal: interrupted.signal, onProgress: () => interrupted.abort() };
    expect(await submit(installations, path, mak, parts)).toMatchObject({ confirmed: 3, left: 4 });
    expect(answersOf(path).size).toBe(3);
  });

  test('keeps no confirmation that the vendor has not signed, or that is for another installation', async () => {
    const installations = installationsOf(2);
    const mak = await issueMak(vendor.administration, 2);
    const strangers = vendorKeys(signingKeyFromSeed(randomBytes(32)).publicKey);
    const path = newFile();
    const swapped: Pick<VendorAuthority, 'confirmInstallations'> = {
      async confirmInstallations(request) {
        const { results, remaining } = await vendor.authority.confirmInstallations(request);
        return { results: results.toReversed(), remaining };
      },
    };
    for (const change of [{ vendorKeys: strangers }, { authority: swapped }]) {
      await expect(submit(installations, path, mak, change)).rejects.toMatchObject({ code: 'CONFIRMATION_INVALID' });
      expect(answersOf(path).size).toBe(0);
    }
    const short = { confirmInstallations: async () => ({ results: [], remaining: 0 }) };
    await expect(submit(installations, path, mak, { authority: short })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('is refused as a whole when the MAK is unknown or revoked', async () => {
    const installations = installationsOf(1);
    const mak = await issueMak(vendor.administration, 1);
    await vendor.administration.revokeKey({ keyId: mak.keyId, reason: 'It was published.' });
    await expect(submit(installations, newFile(), mak)).rejects.toMatchObject({ code: 'KEY_REVOKED' });
  });
});

describe('a file of confirmations', () => {
  test.each([
    ['something else', 'my notes\n'],
    ['something else without an end', 'my notes'],
    ['a line that is none', '{"format":"muster-mak-confirmations","version":1}\n{"installationId":1}\n'],
    ['a later version', '{"format":"muster-mak-confirmations","version":2}\n'],
  ])('that holds %s is refused, and stays as it is', (_, text) => {
    const path = newFile();
    writeFileSync(path, text);
    expect(() => new ConfirmationsFile(path)).toThrow(expect.objectContaining({ code: 'DOCUMENT_INVALID' }));
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test('that cannot be made says so', () => {
    const path = join(directory, 'missing', 'fleet.confirmed');
    expect(() => new ConfirmationsFile(path)).toThrow(expect.objectContaining({ code: 'OUTPUT_UNWRITABLE' }));
    expect(existsSync(path)).toBe(false);
  });
});
