import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Resources } from './resources.ts';

const program = fileURLToPath(new URL('../../../apps/muster/bin/muster', import.meta.url));
const readyMs = 60_000;

/** A `muster serve --demo` in a process of its own. */
export interface MusterProcess {
  readonly port: number;
  /** The demo vendor's public key. */
  readonly vendorKeyJwk: string;
  stop(): Promise<void>;
}

/**
 * Starts a site and waits until it says that it is ready.
 *
 * @param name of the data directory within that of the benchmark; made when missing.
 */
export async function startMuster(resources: Resources, name: string): Promise<MusterProcess> {
  const data = join(resources.directory, name);
  const child = spawn(program, ['serve', '--demo', '--json', '--activation-port', '0', '--data', data], {
    env: { ...process.env, XDG_CONFIG_HOME: join(resources.directory, 'config') },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  resources.adopt(child);
  const ready = await new Promise<{ activationPort: number; vendorKeyFile: string }>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('muster serve was not ready in time')), readyMs);
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      // The document ends with a brace of its own line.
      if (!text.endsWith('\n}\n')) return;
      clearTimeout(timer);
      resolve(JSON.parse(text));
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error('muster serve ended before it was ready')));
  });
  return {
    port: ready.activationPort,
    vendorKeyJwk: readFileSync(ready.vendorKeyFile, 'utf8').trim(),
    stop: () => resources.stop(child),
  };
}
