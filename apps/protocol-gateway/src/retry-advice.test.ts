import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RetryAdvice } from './retry-advice.ts';

const justBelowOne = 1 - Number.EPSILON / 2;

/** The shortest and the longest wait that may be advised now. */
function rangeOf(advise: (random: number) => number): readonly number[] {
  return [advise(0), advise(justBelowOne)];
}

function retryAdvice() {
  let random = 0;
  const advice = new RetryAdvice(() => random);
  const advise = (next: number) => {
    random = next;
    return advice.nextMs();
  };
  return { advice, advise };
}

test('the longest wait doubles with each failure in a row up to 30 seconds, and falls back with a success', () => {
  const { advice, advise } = retryAdvice();
  const ranges = [rangeOf(advise)];
  for (let failures = 1; failures <= 6; failures += 1) {
    advice.failed();
    ranges.push(rangeOf(advise));
  }
  expect(ranges).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000].map((longest) => [1_000, longest]));
  advice.succeeded();
  expect(rangeOf(advise)).toEqual([1_000, 2_000]);
});

test('whatever happens, the advice is whole milliseconds from 1 to 30 seconds', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom('failed', 'succeeded'), fc.double({ min: 0, max: justBelowOne, noNaN: true }))),
      (steps) => {
        const { advice, advise } = retryAdvice();
        for (const step of steps) {
          if (step === 'failed') advice.failed();
          else if (step === 'succeeded') advice.succeeded();
          else {
            const ms = advise(Number(step));
            expect(Number.isInteger(ms) && ms >= 1_000 && ms <= 30_000).toBe(true);
          }
        }
      },
    ),
  );
});
