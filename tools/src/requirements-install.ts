import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Runs a program to its end. */
export type Run = (program: string, parameters: readonly string[]) => Promise<{ code: number | null; output: string }>;

/** Longest run of one command of apt. */
const commandMs = 10 * 60 * 1_000;

/** Debian's maintainer scripts ask it whether they may start a service; 101 forbids it (invoke-rc.d(8)). */
const policyPath = 'usr/sbin/policy-rc.d';
const policy = '#!/bin/sh\nexit 101\n';

/** Whether packages can be installed here: Debian or a relative of it, by root. */
export function canInstall(root = '/', userId = process.getuid?.()): boolean {
  return userId === 0 && existsSync(join(root, 'usr/bin/apt-get')) && isDebian(join(root, 'etc/os-release'));
}

/** Where packages are installed, and what runs apt. */
export interface InstallOptions {
  readonly root?: string;
  readonly run?: Run;
}

/**
 * Installs packages of Debian without starting their services. Apt's lists are brought up to date only when they do not
 * know a package, or when the first attempt fails, which is the second and last one.
 *
 * @returns why it failed; undefined when it did not.
 */
export async function installPackages(
  packages: readonly string[],
  { root = '/', run = runHere }: InstallOptions = {},
): Promise<string | undefined> {
  process.stderr.write(`Installing ${packages.join(', ')} by apt-get.\n`);
  const policyFile = join(root, policyPath);
  const allowServices = existsSync(policyFile) ? () => undefined : forbidServices(policyFile);
  try {
    const known = await run('apt-cache', ['show', '--no-all-versions', ...packages]);
    if (known.code === 0 && (await install(packages, run)) === undefined) return undefined;
    const update = await run('apt-get', ['update', '-q', '-o', 'APT::Update::Error-Mode=any']);
    const failure = await install(packages, run);
    // Without a network the reason is what the update says; the installation only misses what the lists do not have.
    return failure === undefined || update.code === 0 ? failure : reasonIn(update.output);
  } finally {
    allowServices();
  }
}

async function install(packages: readonly string[], run: Run): Promise<string | undefined> {
  const options = ['--yes', '--no-install-recommends', '-q', '-o', 'DPkg::Lock::Timeout=120'];
  const { code, output } = await run('apt-get', ['install', ...options, ...packages]);
  return code === 0 ? undefined : reasonIn(output);
}

/** Forbids that services start. Returns what allows it again, which a signal does as well. */
function forbidServices(policyFile: string): () => void {
  writeFileSync(policyFile, policy, { mode: 0o755 });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const allow = () => {
    rmSync(policyFile, { force: true });
    for (const signal of signals) process.off(signal, onSignal);
  };
  const onSignal = () => {
    allow();
    process.exit(130);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return allow;
}

function isDebian(releaseFile: string): boolean {
  if (!existsSync(releaseFile)) return false;
  const release = readFileSync(releaseFile, 'utf8');
  return /^ID(_LIKE)?="?([^"\n]* )?debian( |"|$)/m.test(release);
}

/** Apt's first error, which names the cause; the others follow from it. */
function reasonIn(output: string): string {
  const lines = output.trim().split('\n');
  return lines.find((line) => line.startsWith('E: ')) ?? lines.at(-1) ?? '';
}

function runHere(program: string, parameters: readonly string[]): ReturnType<Run> {
  return new Promise((resolve) => {
    const child = spawn(program, parameters, {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: commandMs,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.once('error', (error) => resolve({ code: null, output: error.message }));
    child.once('close', (code) => resolve({ code, output }));
  });
}
