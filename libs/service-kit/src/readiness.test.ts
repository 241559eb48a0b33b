import { describe, expect, onTestFinished, test } from 'vitest';
import { type CheckResult, Readiness } from './readiness.ts';

function running(...looks: (() => CheckResult | Promise<CheckResult>)[]): Readiness {
  const readiness = new Readiness();
  for (const [index, look] of looks.entries()) readiness.add({ name: `part-${index}`, required: true, look });
  readiness.started();
  return readiness;
}

const fine = () => ({ ok: true });

describe('a service', () => {
  test('is ready from its start to its drain', async () => {
    const readiness = new Readiness();
    readiness.add({ name: 'database', required: true, look: fine });
    const checks = [{ name: 'database', required: true, ok: true, detail: '' }];
    expect(await readiness.report()).toEqual({ ready: false, state: 'starting', checks });
    readiness.started();
    expect(await readiness.report()).toEqual({ ready: true, state: 'running', checks });
    readiness.draining();
    expect(await readiness.report()).toEqual({ ready: false, state: 'draining', checks });
    readiness.started();
    expect(await readiness.report()).toMatchObject({ state: 'draining' });
  });

  test('is not ready while something that it needs is away, and says what', async () => {
    let result: CheckResult = { ok: false, detail: 'the database is away' };
    const readiness = running(fine, () => result);
    expect(await readiness.report()).toEqual({
      ready: false,
      state: 'running',
      checks: [
        { name: 'part-0', required: true, ok: true, detail: '' },
        { name: 'part-1', required: true, ok: false, detail: 'the database is away' },
      ],
    });
    result = { ok: true };
    expect(await readiness.report()).toMatchObject({ ready: true });
  });

  test('is ready without what it does not need, and tells of it', async () => {
    const readiness = running(fine);
    readiness.add({ name: 'bus', required: false, look: () => ({ ok: false, detail: 'it is away' }) });
    expect(await readiness.report()).toMatchObject({
      ready: true,
      checks: [{}, { name: 'bus', required: false, ok: false, detail: 'it is away' }],
    });
  });
});

describe('a look', () => {
  test.each<[string, () => CheckResult | Promise<CheckResult>]>([
    [
      'throws',
      () => {
        throw new Error('it broke');
      },
    ],
    ['rejects', () => Promise.reject(new Error('it broke'))],
  ])('that %s has failed', async (_, look) => {
    expect(await running(look).report()).toMatchObject({ ready: false, checks: [{ ok: false, detail: 'it broke' }] });
  });

  test('that hangs has failed after a second, is not repeated meanwhile, and recovers', async () => {
    let looks = 0;
    let answer = Promise.withResolvers<CheckResult>();
    const readiness = running(fine, () => {
      looks += 1;
      return answer.promise;
    });
    const begun = performance.now();
    for (const _ of [1, 2]) {
      expect(await readiness.report()).toMatchObject({
        ready: false,
        checks: [{ ok: true }, { ok: false, detail: 'no answer within 1000 ms' }],
      });
    }
    expect(performance.now() - begun).toBeGreaterThan(1_900);
    expect(performance.now() - begun).toBeLessThan(20_000);
    expect(looks).toBe(1);
    answer.resolve({ ok: true });
    answer = Promise.withResolvers();
    answer.resolve({ ok: true });
    await expect.poll(() => readiness.report(), { timeout: 10_000 }).toMatchObject({ ready: true });
    expect(looks).toBe(2);
  });

  test('is shared by questions at the same time', async () => {
    let looks = 0;
    const readiness = running(async () => {
      looks += 1;
      return { ok: true };
    });
    const reports = await Promise.all(Array.from({ length: 50 }, () => readiness.report()));
    expect(reports.every(({ ready }) => ready)).toBe(true);
    expect(looks).toBe(1);
  });
});

describe('who watches', () => {
  test('is told within some seconds, and at once when the service drains', async () => {
    let result: CheckResult = { ok: true };
    const readiness = running(() => result);
    const told: boolean[] = [];
    onTestFinished(readiness.watch((ready) => told.push(ready)));
    await expect.poll(() => told.at(-1), { timeout: 10_000 }).toBe(true);
    result = { ok: false };
    await expect.poll(() => told.at(-1), { timeout: 10_000 }).toBe(false);
    result = { ok: true };
    await expect.poll(() => told.at(-1), { timeout: 10_000 }).toBe(true);
    readiness.draining();
    expect(told.at(-1)).toBe(false);
  });

  test('is told nothing more after the end', async () => {
    const readiness = running(fine);
    let told = 0;
    const stop = readiness.watch(() => {
      told += 1;
    });
    await expect.poll(() => told, { timeout: 10_000 }).toBeGreaterThan(0);
    stop();
    const before = told;
    await readiness.report();
    readiness.draining();
    expect(told).toBe(before);
  });
});
