import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
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
  const ready = await readyDocument(child);
  return {
    port: ready.activationPort,
    vendorKeyJwk: readFileSync(ready.vendorKeyFile, 'utf8').trim(),
    stop: () => resources.stop(child),
  };
}

interface ReadyDocument {
  readonly activationPort: number;
  readonly vendorKeyFile: string;
}

function readyDocument(child: ChildProcessByStdio<null, Readable, null>): Promise<ReadyDocument> {
  return new Promise<ReadyDocument>((resolve, reject) => {
    const refuse = (reason: string) => {
      clearTimeout(timer);
      reject(new Error(reason));
    };
    const timer = setTimeout(() => refuse(`muster serve was not ready within ${readyMs / 1_000} seconds`), readyMs);
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      // The document ends with a brace on a line of its own.
      if (!text.endsWith('\n}\n')) return;
      clearTimeout(timer);
      resolve(JSON.parse(text));
    });
    child.once('error', (error) => refuse(`muster serve could not be started: ${error.message}`));
    child.once('exit', () => refuse('muster serve ended before it was ready'));
  });
}
