import { LicenceStatus, MachineClass, ResultCode } from '@muster/contracts/activation';
import { type ApplicationId, judgeRequest } from '@muster/product-groups';
import type { ReceivedActivationRequest } from '@muster/wire-codec';
import { describe, expect, test } from 'vitest';
import { activatedKey, dayMs, hostId, minuteMs, noonMs, requestFor, snapshotWith } from '../testing/policy-snapshot.ts';
import { countRules, isDecision, type JudgedRequest, toCountBatch, toResult } from './answer.ts';
import { PolicyView } from './policy-view.ts';

const view = await PolicyView.from(
  await snapshotWith(
    'acme-suite',
    [await activatedKey('office', ['writer', 'office-professional']), await activatedKey('database', ['workgroup'])],
    {
      intervalOverrides: [{ application: 'office', activationIntervalMinutes: 15, renewalIntervalMinutes: undefined }],
    },
  ),
);

function judged(request: ReceivedActivationRequest): JudgedRequest {
  if (view.catalogue === undefined) throw new Error('the view has no catalogue');
  const host = { catalogue: view.catalogue, coverage: view.coverageAt(noonMs), nowMs: noonMs };
  return { request, remoteAddress: '192.0.2.7', judgement: judgeRequest(host, request), view };
}

const office = requestFor('office', 'writer');
const database = requestFor('database', 'workgroup', { machineClass: 'virtual' });
const uncovered = requestFor('office', 'reader');
const unknown = requestFor('games', 'chess');
const skewed = requestFor('database', 'workgroup', { clientTimeMs: noonMs - 31 * minuteMs });

describe('the batch that counting gets', () => {
  test('carries the rules of each application that is counted, once', () => {
    const batch = toCountBatch(3, 'gateway-1', [office, database, office, database].map(judged));
    expect(batch).toMatchObject({ batchId: 3, gatewayId: 'gateway-1' });
    expect(batch.rules).toEqual([
      { application: 'office', countCap: 40, countRetentionMinutes: 30 * 1_440 },
      { application: 'database', countCap: 10, countRetentionMinutes: 14 * 1_440 },
    ]);
    const application = view.catalogue?.applications.get('office' as ApplicationId);
    expect(application && countRules(application)).toEqual(batch.rules[0]);
  });

  test('carries refused requests with the reason, in their place, without thresholds, and the rules of known applications', () => {
    const batch = toCountBatch(1, 'gateway-1', [uncovered, office, skewed, unknown].map(judged));
    expect(
      batch.requests.map(({ application, edition, refusal, threshold, raisesCount }) => [
        application,
        edition,
        refusal,
        threshold,
        raisesCount,
      ]),
    ).toEqual([
      ['office', 'reader', ResultCode.PRODUCT_NOT_COVERED, 0, false],
      ['office', 'writer', ResultCode.UNSPECIFIED, 10, true],
      ['database', 'workgroup', ResultCode.CLOCK_SKEW, 0, false],
      ['games', 'chess', ResultCode.PRODUCT_NOT_COVERED, 0, false],
    ]);
    expect(batch.rules.map(({ application }) => application)).toEqual(['office', 'database']);
  });

  test.each([
    ['office', 'writer', 'physical', true],
    ['office', 'writer', 'virtual', false],
    ['office', 'writer', 'container', false],
    ['database', 'workgroup', 'physical', true],
    ['database', 'workgroup', 'virtual', true],
    ['database', 'workgroup', 'container', true],
  ] as const)('%s %s on a machine that is %s raises the count: %s', (application, edition, machineClass, raises) => {
    const [request] = toCountBatch(1, 'g', [judged(requestFor(application, edition, { machineClass }))]).requests;
    expect(request?.raisesCount).toBe(raises);
  });

  test('carries what the client said, and empty fields for what it left out', () => {
    const whole = requestFor('office', 'writer', {
      machineClass: 'container',
      previousCmid: '00000000-0000-4000-8000-000000000001',
      machineName: 'PC-Größe',
      fingerprint: new Uint8Array(32).fill(3),
      licenceStatus: 'notification',
    });
    const { requests } = toCountBatch(1, 'gateway-1', [judged(whole), judged(office)]);
    const cmid = Buffer.from('6ba7b8109dad41d180b400c04fd430c8', 'hex');
    const common = { application: 'office', edition: 'writer', clientVersion: 'test/1', remoteAddress: '192.0.2.7' };
    expect(
      requests.map((each) => ({ ...each, cmid: Buffer.from(each.cmid), previousCmid: Buffer.from(each.previousCmid) })),
    ).toEqual([
      {
        ...common,
        cmid,
        previousCmid: Buffer.from('00000000000040008000000000000001', 'hex'),
        machineClass: MachineClass.CONTAINER,
        machineName: 'PC-Größe',
        fingerprint: new Uint8Array(32).fill(3),
        licenceStatus: LicenceStatus.NOTIFICATION,
        raisesCount: false,
        threshold: 10,
        refusal: ResultCode.UNSPECIFIED,
      },
      {
        ...common,
        cmid,
        previousCmid: Buffer.alloc(0),
        machineClass: MachineClass.PHYSICAL,
        machineName: '',
        fingerprint: new Uint8Array(),
        licenceStatus: LicenceStatus.INITIAL_GRACE,
        raisesCount: true,
        threshold: 10,
        refusal: ResultCode.UNSPECIFIED,
      },
    ]);
  });
});

describe('the result that a client gets', () => {
  const activationId = Uint8Array.from({ length: 16 }, (_, n) => n + 1);
  const nowMs = noonMs + 250;

  test('grants for the validity of the catalogue, from the time of the answer', () => {
    const result = toResult(judged(office), { activationId, code: ResultCode.GRANTED, count: 12 }, nowMs);
    expect(result).toEqual({
      code: 'GRANTED',
      nonce: office.nonce,
      application: 'office',
      edition: 'writer',
      cmid: office.cmid,
      count: 12,
      threshold: 10,
      activationIntervalMinutes: 15,
      renewalIntervalMinutes: 10_080,
      validityMinutes: 180 * 1_440,
      issuedAtMs: nowMs,
      expiresAtMs: nowMs + 180 * dayMs,
      hostId,
      activationId: '01020304-0506-0708-090a-0b0c0d0e0f10',
      graceMinutes: 30 * 1_440,
    });
  });

  test('refuses without any validity, with the count, the threshold and the interval of the next attempt', () => {
    const counted = { activationId, code: ResultCode.COUNT_INSUFFICIENT, count: 2 };
    expect(toResult(judged(database), counted, nowMs)).toMatchObject({
      code: 'COUNT_INSUFFICIENT',
      count: 2,
      threshold: 3,
      activationIntervalMinutes: 60,
      renewalIntervalMinutes: 1_440,
      validityMinutes: 0,
      issuedAtMs: nowMs,
      expiresAtMs: 0,
      graceMinutes: 14 * 1_440,
    });
  });

  test('of an edition that no key covers names no threshold, yet the intervals of its application', () => {
    const counted = { activationId, code: ResultCode.PRODUCT_NOT_COVERED, count: 0 };
    expect(toResult(judged(uncovered), counted, nowMs)).toMatchObject({
      code: 'PRODUCT_NOT_COVERED',
      threshold: 0,
      activationIntervalMinutes: 15,
      renewalIntervalMinutes: 10_080,
      validityMinutes: 0,
      expiresAtMs: 0,
    });
  });

  test('of an application that the catalogue has not promises nothing', () => {
    const counted = { activationId, code: ResultCode.PRODUCT_NOT_COVERED, count: 0 };
    expect(toResult(judged(unknown), counted, nowMs)).toMatchObject({
      code: 'PRODUCT_NOT_COVERED',
      application: 'games',
      edition: 'chess',
      threshold: 0,
      activationIntervalMinutes: 0,
      renewalIntervalMinutes: 0,
      validityMinutes: 0,
      graceMinutes: 0,
      hostId,
    });
  });

  test('is one only for a known code under an id of the log', () => {
    const decision = { activationId: new Uint8Array(16), code: ResultCode.GRANTED, count: 40 };
    expect(isDecision(decision)).toBe(true);
    expect(isDecision({ ...decision, code: ResultCode.UNSPECIFIED })).toBe(false);
    expect(isDecision({ ...decision, activationId: new Uint8Array(15) })).toBe(false);
  });
});
