import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { natsServerPath, natsServerVersion } from '../testing/nats-server.ts';

const shipped = fileURLToPath(new URL('../../../deploy/nats/nats.conf', import.meta.url));

function check(configurationFile: string): string {
  const { status, stderr } = spawnSync(natsServerPath(), ['-t', '-c', configurationFile], { encoding: 'utf8' });
  return status === 0 ? 'valid' : stderr.trim();
}

test('the shipped configuration of NATS is valid, but for the one option that 2.9 does not know', () => {
  const [major, minor] = natsServerVersion();
  const knowsSyncInterval = major > 2 || minor >= 10;
  const verdict = check(shipped);
  if (knowsSyncInterval) expect(verdict).toBe('valid');
  else expect(verdict).toMatch(/^nats-server: \S+:\d+:\d+: unknown field "sync_interval"$/);

  const directory = mkdtempSync(join(tmpdir(), 'muster-nats-configuration-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const without = join(directory, 'nats.conf');
  const text = readFileSync(shipped, 'utf8');
  const lines = text.split('\n').filter((line) => line.trim() !== 'sync_interval: always');
  expect(lines).toHaveLength(text.split('\n').length - 1);
  writeFileSync(without, lines.join('\n'));
  expect(check(without)).toBe('valid');
});
