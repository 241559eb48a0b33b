import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type CollectedInstallation,
  collectInstallations,
  installationsFormat,
  installationsText,
} from '../src/mak-collection.ts';
import { readLines } from '../src/mak-lines.ts';
import { newInstallation } from './support/mak.ts';

const collectedAt = '2026-11-24T12:00:00.000Z';
const machine = (machineName: string): CollectedInstallation => ({ ...newInstallation(), machineName, collectedAt });

test('an installation id is collected once, and a clone is told by its other name', () => {
  const [one, two] = [machine('PC-1'), machine('PC-2')];
  const clone = { ...one, machineName: 'PC-1-copy' };
  const collected = collectInstallations([one], [two, one, clone], true);
  expect(collected).toEqual({ installations: [one, two], added: 1, known: 2, clones: 1 });
});

test('without names, none is left, also of those that were there', () => {
  const { installations, clones } = collectInstallations([machine('PC-1')], [machine('PC-2')], false);
  expect(JSON.stringify(installations)).not.toContain('machineName');
  expect(clones).toBe(0);
});

const anyInstallation = fc.record(
  {
    installationId: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
    application: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,63}$/),
    edition: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,63}$/),
    machineName: fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((name) => !/[\p{C}\p{Zl}\p{Zp}]/u.test(name)),
    collectedAt: fc.constant(collectedAt),
  },
  { requiredKeys: ['installationId', 'application', 'edition', 'collectedAt'] },
);

test('a collection is read as it was written, also with the line ends of another system', () => {
  fc.assert(
    fc.property(fc.array(anyInstallation, { maxLength: 8 }), (installations) => {
      const text = installationsText(installations);
      expect(readLines(installationsFormat, text, 'fleet')).toEqual(installations);
      expect(readLines(installationsFormat, text.replaceAll('\n', '\r\n'), 'fleet')).toEqual(installations);
    }),
  );
});

test('any other text is refused as DOCUMENT_INVALID, and nothing else is thrown', () => {
  const good = installationsText([machine('PC-1'), machine('PC-2')]);
  const damaged = fc
    .tuple(fc.nat(good.length - 1), fc.string({ unit: 'binary', maxLength: 3 }))
    .map(([at, text]) => good.slice(0, at) + text + good.slice(at + 1));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), damaged), (text) => {
      try {
        for (const line of readLines(installationsFormat, text, 'fleet')) {
          expect(line.installationId).toMatch(/^[0-9a-f]{64}$/);
        }
      } catch (error) {
        expect(error).toMatchObject({
          code: 'DOCUMENT_INVALID',
          message: expect.stringMatching(/^fleet cannot be used: line \d+: /),
        });
      }
    }),
    { numRuns: 1000 },
  );
});
