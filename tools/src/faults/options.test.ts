import { describe, expect, it } from 'vitest';
import { parseOptions } from './options.ts';

describe('what npm run faults is asked for', () => {
  it('is sixty rounds with a seed of its own unless told', () => {
    const { seed, runs, attemptsPerSecond } = parseOptions([]);
    expect(seed).toBeGreaterThanOrEqual(0);
    expect(attemptsPerSecond).toBe(150);
    expect(runs).toEqual([{ kind: 'rounds', rounds: 60, only: undefined, secondsPerRound: 3 }]);
  });

  it('may be one kind, an outage, a rolling restart, or what CI runs', () => {
    expect(parseOptions(['--only', 'clock', '--rounds', '5']).runs).toMatchObject([{ only: 'clock', rounds: 5 }]);
    expect(parseOptions(['--nats-outage', '600']).runs).toEqual([{ kind: 'nats-outage', seconds: 600 }]);
    expect(parseOptions(['--rolling-restart']).runs).toEqual([{ kind: 'rolling-restart' }]);
    expect(parseOptions(['--ci']).runs.map(({ kind }) => kind)).toEqual(['rounds', 'nats-outage', 'rolling-restart']);
  });

  it.each([
    [['--rounds', '0'], '--rounds is a whole number from 1 to 100000, not 0.'],
    [['--only', 'earthquake'], '--only is one of kill'],
    [['--ci', '--nats-outage', '60'], '--ci has its own outage'],
    [['--seed', 'lucky'], '--seed is a whole number'],
  ])('is refused when it is %j', (parameters, message) => {
    expect(() => parseOptions(parameters)).toThrow(message);
  });
});
