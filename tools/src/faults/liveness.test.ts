import { expect, it, vi } from 'vitest';
import type { StackProcess } from '../stack/stack.ts';
import { Liveness } from './liveness.ts';
import { until } from './until.ts';

it('kills what runs and does not work three times in a row', async () => {
  const process = { pid: 1 as number | undefined, paused: false, kill: vi.fn(async () => undefined) };
  let works = true;
  let probes = 0;
  const liveness = new Liveness(process as unknown as StackProcess, async () => {
    probes += 1;
    return works;
  });
  await until(() => probes === 1, 'a first probe');
  works = false;
  await until(() => probes === 3, 'two probes that failed');
  works = true;
  await until(() => probes === 4, 'a probe that did not');
  expect(process.kill).not.toHaveBeenCalled();
  works = false;
  await until(() => process.kill.mock.calls.length === 1, 'three failures in a row');
  expect(probes).toBe(7);
  expect(liveness.kills).toBe(1);
  liveness.close();
});

it('leaves a process alone that is stopped or down', async () => {
  let looks = 0;
  const stopped = {
    get pid() {
      looks += 1;
      return 1;
    },
    paused: true,
    kill: vi.fn(),
  };
  const works = vi.fn(async () => false);
  const liveness = new Liveness(stopped as unknown as StackProcess, works);
  await until(() => looks >= 10, 'several looks');
  expect(works).not.toHaveBeenCalled();
  expect(stopped.kill).not.toHaveBeenCalled();
  liveness.close();
});
