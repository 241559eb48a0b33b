import type { ApplicationId } from '@muster/product-groups';
import { publicKeyToJwk, signCatalogue } from '@muster/trust';
import { describe, expect, test } from 'vitest';
import {
  activatedKey,
  dayMs,
  hostId,
  noonMs,
  snapshotWith,
  stranger,
  textOf,
  vendor,
} from '../testing/policy-snapshot.ts';
import { PolicyView } from './policy-view.ts';

/** What a view covers, as plain lists. */
function coverageOf(view: PolicyView, nowMs = noonMs): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    [...view.coverageAt(nowMs)].map(([application, editions]) => [application, [...editions].sort()]),
  );
}

function applicationOf(view: PolicyView, id: string) {
  const application = view.catalogue?.applications.get(id as ApplicationId);
  if (application === undefined) throw new Error(`the catalogue has no application ${id}`);
  return application;
}

describe('what the keys of a host cover', () => {
  test('is what all of its keys cover together, by application', async () => {
    const keys = [
      await activatedKey('office', ['reader', 'writer']),
      await activatedKey('office', ['writer', 'office-professional']),
      await activatedKey('database', ['developer']),
    ];
    const view = await PolicyView.from(await snapshotWith('acme-suite', keys));
    expect(coverageOf(view)).toEqual({ office: ['office-professional', 'reader', 'writer'], database: ['developer'] });
    expect([view.hostId, view.revision, view.catalogue?.id]).toEqual([hostId, 7, 'acme-suite']);
  });

  test('is nothing without keys, and nothing without a catalogue either', async () => {
    const bare = await PolicyView.from(await snapshotWith('acme-suite', [], { signedCatalogue: '', vendorKeys: [] }));
    expect(bare.catalogue).toBeUndefined();
    const view = await PolicyView.from(await snapshotWith('acme-suite', []));
    for (const each of [bare, view]) {
      expect(coverageOf(each)).toEqual({});
      expect(each.certificateFor('office', 'reader', noonMs)).toBeUndefined();
    }
  });

  test('follows the clock: a key begins, another ends, each at its own time', async () => {
    const keys = [
      await activatedKey('office', ['reader'], { expiresAtMs: noonMs + 10 * dayMs }),
      await activatedKey('office', ['reader', 'writer'], { expiresAtMs: noonMs + 20 * dayMs }),
      await activatedKey('database', ['developer'], { issuedAtMs: noonMs + 5 * dayMs }),
    ];
    const [first, second, third] = keys.map((key) => key.hostCertificate);
    const view = await PolicyView.from(await snapshotWith('acme-suite', keys));
    const office = ['reader', 'writer'];
    const expected: readonly [number, Record<string, readonly string[]>, string | undefined][] = [
      [-2, {}, undefined],
      [0, { office }, second],
      [5 - 1e-8, { office }, second],
      [5, { office, database: ['developer'] }, second],
      [10, { office, database: ['developer'] }, second],
      [20 - 1e-8, { office, database: ['developer'] }, second],
      [20, { database: ['developer'] }, third],
      [365, {}, undefined],
    ];
    // Forwards, and back again: a clock that was set wrong is set right.
    for (const [days, coverage, certificate] of [...expected, ...expected.toReversed()]) {
      expect([days, coverageOf(view, noonMs + days * dayMs)]).toEqual([days, coverage]);
      expect(view.certificateFor('office', 'writer', noonMs + days * dayMs)).toBe(certificate);
    }
    expect([first, second]).toContain(view.certificateFor('office', 'reader', noonMs));
    expect(view.certificateFor('office', 'reader', noonMs + 10 * dayMs)).toBe(second);
  });
});

describe('the certificate of a reply', () => {
  test('covers the edition, else is of the application, else is any, because a refusal is signed too', async () => {
    const keys = [
      await activatedKey('office', ['reader']),
      await activatedKey('office', ['writer']),
      await activatedKey('database', ['developer']),
    ];
    const [reader, writer, developer] = keys.map((key) => key.hostCertificate);
    const view = await PolicyView.from(await snapshotWith('acme-suite', keys));
    const certificateFor = (application: string, edition: string) => view.certificateFor(application, edition, noonMs);
    expect(certificateFor('office', 'reader')).toBe(reader);
    expect(certificateFor('office', 'writer')).toBe(writer);
    expect(certificateFor('database', 'developer')).toBe(developer);
    expect([reader, writer]).toContain(certificateFor('office', 'office-professional'));
    expect(certificateFor('database', 'reader')).toBe(developer);
    expect([reader, writer, developer]).toContain(certificateFor('games', 'chess'));
    expect([reader, writer, developer]).toContain(certificateFor('', ''));
  });
});

describe('the intervals that clients take over', () => {
  test('are those of the host where it has set them, else those of the catalogue', async () => {
    const intervalOverrides = [
      { application: 'office', activationIntervalMinutes: undefined, renewalIntervalMinutes: 30 },
      { application: 'games', activationIntervalMinutes: 15, renewalIntervalMinutes: 15 },
    ];
    const view = await PolicyView.from(await snapshotWith('acme-suite', [], { intervalOverrides }));
    expect(view.intervalsOf(applicationOf(view, 'office'))).toEqual({
      activationIntervalMinutes: 120,
      renewalIntervalMinutes: 30,
    });
    expect(view.intervalsOf(applicationOf(view, 'database'))).toEqual({
      activationIntervalMinutes: 60,
      renewalIntervalMinutes: 1_440,
    });
  });

  test('cannot be outside the allowed range', async () => {
    const intervalOverrides = [
      { application: 'office', activationIntervalMinutes: 14, renewalIntervalMinutes: undefined },
    ];
    await expect(PolicyView.from(await snapshotWith('acme-suite', [], { intervalOverrides }))).rejects.toMatchObject({
      code: 'SETTING_INVALID',
    });
  });
});

describe('a snapshot is refused', () => {
  const text = textOf('acme-suite');

  test('when a vendor signed its catalogue that it does not trust', async () => {
    const signedCatalogue = await signCatalogue({ text, vendor: stranger });
    await expect(PolicyView.from(await snapshotWith('acme-suite', [], { signedCatalogue }))).rejects.toMatchObject({
      code: 'DOCUMENT_INVALID',
    });
  });

  test('when a vendor signed one of its certificates that it does not trust', async () => {
    const keys = [
      await activatedKey('office', ['reader']),
      await activatedKey('office', ['writer'], { vendorKey: stranger }),
    ];
    await expect(PolicyView.from(await snapshotWith('acme-suite', keys))).rejects.toMatchObject({
      code: 'UNTRUSTED_HOST',
    });
    const vendorKeys = [vendor, stranger].map(({ publicKey }) => publicKeyToJwk(publicKey));
    const view = await PolicyView.from(await snapshotWith('acme-suite', keys, { vendorKeys }));
    expect(coverageOf(view)).toEqual({ office: ['reader', 'writer'] });
  });

  test('when its catalogue breaks a rule', async () => {
    const signedCatalogue = await signCatalogue({ text: text.replace('threshold: 10', 'threshold: 0'), vendor });
    await expect(PolicyView.from(await snapshotWith('acme-suite', [], { signedCatalogue }))).rejects.toMatchObject({
      code: 'CATALOGUE_INVALID',
    });
  });

  test('when one of its vendor keys is none', async () => {
    await expect(PolicyView.from(await snapshotWith('acme-suite', [], { vendorKeys: ['{}'] }))).rejects.toMatchObject({
      code: 'DOCUMENT_INVALID',
    });
  });
});
