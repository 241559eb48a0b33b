import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NatsStore } from './nats-store.ts';

const mebibyte = 1024 * 1024;

it('a file system of its own is filled to the last byte and freed again; without the right to mount, it says so', () => {
  const directory = mkdtempSync(join(tmpdir(), 'muster-store-'));
  const store = NatsStore.open(join(directory, 'store'), 4 * mebibyte);
  const writeSomething = () => writeFileSync(join(store.directory, 'something'), 'a'.repeat(10_000));
  try {
    expect(store.isMounted).toBe(process.getuid?.() === 0 && process.platform === 'linux');
    if (store.isMounted) {
      expect(store.fill()).toBeGreaterThan(3 * mebibyte);
      expect(writeSomething).toThrow('ENOSPC');
      store.free();
      writeSomething();
    } else {
      expect(() => store.fill()).toThrow('Only a file system of its own is filled.');
    }
  } finally {
    store.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
