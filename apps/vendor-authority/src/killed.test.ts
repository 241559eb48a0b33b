import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfirmInstallationsRequest } from '@muster/contracts/vendor';
import { KeyKind } from '@muster/contracts/vendor';
import { startPostgresql } from '@muster/database/testing';
import { MusterError } from '@muster/product-groups';
import { publicKeyFromJwk, vendorKeys, verifyAuditChain, verifyMakConfirmation } from '@muster/trust';
import { afterEach, expect, test } from 'vitest';
import { activationOf, all, newHost, newInstallation, windowsText } from '../testing/authority.ts';
import {
  type AuthorityPlaces,
  type AuthorityProcess,
  freeAddresses,
  startAuthority,
} from '../testing/authority-process.ts';

const steps: (() => unknown)[] = [];
afterEach(async () => {
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) await step();
});

/** Where a database of each engine is made. */
const databases: Readonly<Record<string, (directory: string) => Promise<string>>> = {
  PostgreSQL: async () => {
    const server = await startPostgresql();
    steps.push(() => server.stop());
    return server.url;
  },
  PGlite: async (directory) => join(directory, 'data'),
};

const roundsOf: Readonly<Record<string, number>> = { PostgreSQL: 8, PGlite: 5 };
const batchSize = 40;
const batches = 12;
/** Batches that are asked for at the same time. */
const lanes = 4;

test.each(Object.entries(databases))(
  'on %s, an authority that is killed in the middle of a MAK proxy run loses no activation and doubles none',
  { timeout: 300_000 },
  async (engine, makeDatabase) => {
    const directory = mkdtempSync(join(tmpdir(), 'muster-authority-'));
    steps.push(() => rmSync(directory, { recursive: true, force: true }));
    const places: AuthorityPlaces = {
      database: await makeDatabase(directory),
      secretFile: join(directory, 'secret'),
      addresses: await freeAddresses(3),
    };
    let running = await startAuthority(places);
    steps.push(() => running.kill());
    const vendor = await running.administration.createVendor({ name: 'Example Vendor' });
    await running.administration.signCatalogue({ text: windowsText });
    const common = { application: 'windows', customer: 'Contoso' };
    const rounds = roundsOf[engine] ?? 1;
    const makActivations = rounds * batches * batchSize;
    const mak = await running.administration.issueKey({
      ...common,
      kind: KeyKind.MAK,
      productGroup: 'vista-vl',
      makActivations,
    });
    const kms = await running.administration.issueKey({ ...common, kind: KeyKind.KMS, productGroup: 'server-group-b' });
    const host = activationOf(kms.productKey, newHost());
    const { hostCertificate } = await running.authority.activateHost(host);

    /** What each installation was told, by its id. */
    const told = new Map<string, string>();
    const keep = (request: ConfirmInstallationsRequest, confirmations: readonly string[]) => {
      for (const [place, confirmation] of confirmations.entries()) {
        const id = Buffer.from(request.installations[place]?.installationId ?? []).toString('hex');
        expect(confirmation).not.toBe('');
        expect(told.get(id) ?? confirmation).toBe(confirmation);
        told.set(id, confirmation);
      }
    };
    let brokenOff = 0;
    for (let round = 0; round < rounds; round += 1) {
      const waiting = Array.from({ length: batches }, () => ({
        productKey: mak.productKey,
        application: 'windows',
        installations: Array.from({ length: batchSize }, () => newInstallation()),
      }));
      const { unanswered, inFlight } = await confirmUntilKilled(running, waiting, 1 + (round % 4), keep);
      brokenOff += inFlight;
      running = await startAuthority(places);
      for (const request of unanswered) {
        const { results } = await running.authority.confirmInstallations(request);
        keep(
          request,
          results.map(({ confirmation }) => confirmation),
        );
      }
    }
    // Otherwise nothing was killed in the middle.
    expect(brokenOff).toBeGreaterThanOrEqual(rounds);

    expect(told.size).toBe(makActivations);
    expect(new Set(told.values()).size).toBe(makActivations);
    const { administration, authority } = running;
    const keyId = mak.key?.keyId ?? new Uint8Array();
    expect((await administration.getKey({ keyId })).makActivationsUsed).toBe(makActivations);
    const kept = await all(administration.listInstallations({ keyId }));
    expect(kept.map(({ installationId }) => Buffer.from(installationId).toString('hex'))).toEqual(
      [...told.keys()].sort(),
    );
    const another = { productKey: mak.productKey, application: 'windows', installations: [newInstallation()] };
    const { results } = await authority.confirmInstallations(another);
    expect(results.map(({ code }) => code)).toEqual(['MAK_EXHAUSTED']);
    expect(await authority.activateHost(host)).toMatchObject({ hostCertificate, activationsUsed: 1 });
    const trusted = vendorKeys(publicKeyFromJwk(vendor.publicKeyJwk));
    for (const [id, confirmation] of told) {
      const { installationId } = await verifyMakConfirmation(confirmation, trusted);
      expect(Buffer.from(installationId).toString('hex')).toBe(id);
    }
    // The trail has each use once, and is whole.
    const { auditHead } = await administration.getVendor({});
    const trail = await all(administration.auditTrail({ fromSequence: 1 }));
    expect(await verifyAuditChain(trail, auditHead === undefined ? [] : [auditHead])).toMatchObject({ ok: true });
    const uses = trail.filter(({ record }) => record.includes('"installation.confirmed"'));
    expect(uses).toHaveLength(makActivations);
    expect(running.log()).not.toContain(mak.productKey);
    expect(await running.stop()).toBe(0);
  },
);

/**
 * Asks for batches on several lanes and kills the authority as soon as so many were answered.
 *
 * @returns those that were not answered, and how many of them were under way when it was killed.
 */
async function confirmUntilKilled(
  running: AuthorityProcess,
  waiting: readonly ConfirmInstallationsRequest[],
  answersBeforeKill: number,
  keep: (request: ConfirmInstallationsRequest, confirmations: readonly string[]) => void,
): Promise<{ readonly unanswered: readonly ConfirmInstallationsRequest[]; readonly inFlight: number }> {
  const queue = [...waiting];
  const inFlight: ConfirmInstallationsRequest[] = [];
  let answered = 0;
  let killed: Promise<void> | undefined;
  const lane = async () => {
    while (killed === undefined) {
      const request = queue.shift();
      if (request === undefined) return;
      try {
        const { results } = await running.authority.confirmInstallations(request);
        keep(
          request,
          results.map(({ confirmation }) => confirmation),
        );
        answered += 1;
        if (answered >= answersBeforeKill) killed ??= running.kill();
      } catch (error) {
        if (!(error instanceof MusterError) || error.code !== 'UNAVAILABLE') throw error;
        inFlight.push(request);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  await killed;
  return { unanswered: [...inFlight, ...queue], inFlight: inFlight.length };
}
