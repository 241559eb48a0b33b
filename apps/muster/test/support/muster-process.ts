import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atTheEnd, temporaryDirectory, until } from './cleanup.ts';

const program = fileURLToPath(new URL('../../bin/muster', import.meta.url));

/** How a process ended, and what it said. */
export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What `muster serve --json` prints when it is ready. */
export interface Ready {
  readonly ready: boolean;
  readonly processId: number;
  readonly activationPort: number;
  readonly dataDirectory: string;
  readonly hostId: string;
  readonly hostPlatform: string;
  readonly catalogue: string;
  readonly keys: readonly { readonly application: string; readonly productGroup: string; readonly key: string }[];
  readonly vendorKeyFile: string;
}

/** A user with a home of its own: what the commands of one keep is not seen by another. */
export class MusterUser {
  readonly #environment: NodeJS.ProcessEnv;

  constructor() {
    const home = temporaryDirectory();
    this.#environment = {
      PATH: process.env.PATH,
      HOME: home,
      XDG_CONFIG_HOME: join(home, 'config'),
      XDG_DATA_HOME: join(home, 'share'),
    };
  }

  /** Runs a command to its end. */
  async run(parameters: readonly string[], input = ''): Promise<Finished> {
    const running = this.#spawn(parameters);
    running.child.stdin?.end(input);
    return running.finished;
  }

  /** Starts a command that a test ends. It does not outlive the test file. */
  start(parameters: readonly string[]): StartedCommand {
    const { child, finished } = this.#spawn(parameters);
    child.stdin?.end();
    return {
      finished,
      hasEnded: () => child.exitCode !== null || child.signalCode !== null,
      kill: (signal) => child.kill(signal),
    };
  }

  /** Starts `muster serve --json` and waits until it is ready. It does not outlive the test file. */
  async serve(...parameters: string[]): Promise<ServeProcess> {
    const running = this.#spawn(['serve', '--json', '--activation-port', '0', ...parameters]);
    let ended = false;
    running.finished.then(() => {
      ended = true;
    });
    await until(() => ended || isDocument(running.output()), 'muster serve is ready');
    if (ended) throw new Error(`muster serve ended: ${(await running.finished).stderr}`);
    return new ServeProcess(running, JSON.parse(running.output()));
  }

  #spawn(parameters: readonly string[]): Running {
    const child = spawn(program, parameters, { env: this.#environment, stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.stdin.on('error', () => undefined); // It may end before it has read its input.
    const finished = new Promise<Finished>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
    atTheEnd(async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await finished;
    });
    return { child, finished, output: () => stdout };
  }
}

/** A command that runs. */
export interface StartedCommand {
  readonly finished: Promise<Finished>;
  hasEnded(): boolean;
  kill(signal: NodeJS.Signals): void;
}

interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  output(): string;
}

/** A `muster serve` that is ready. */
export class ServeProcess {
  readonly ready: Ready;
  readonly finished: Promise<Finished>;
  readonly #child: ChildProcess;

  constructor(running: Running, ready: Ready) {
    this.ready = ready;
    this.finished = running.finished;
    this.#child = running.child;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends the process by SIGTERM, unless another signal is named, and waits for its end. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Finished> {
    this.kill(signal);
    return this.finished;
  }
}

function isDocument(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // not all of it yet
  }
}
