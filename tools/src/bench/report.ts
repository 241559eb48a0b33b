import { execFileSync } from 'node:child_process';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import type { PackageLines } from './count-lines.ts';
import type { LoadFigures } from './measure-load.ts';
import type { StartUpFigures } from './measure-start-up.ts';

/** Everything that one run found; what `--json` writes. */
export interface Report {
  readonly startedAt: string;
  readonly machine: MachineDescription;
  readonly seconds: number;
  readonly rounds: number;
  readonly load: readonly LoadFigures[];
  readonly startUp: StartUpFigures;
  readonly lines: readonly PackageLines[];
}

export interface MachineDescription {
  readonly processor: string;
  readonly processors: number;
  readonly memoryGibibytes: number;
  readonly system: string;
  readonly node: string;
  /** The commit that was measured; empty outside a repository. */
  readonly commit: string;
}

export function describeMachine(): MachineDescription {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    processors: cpus().length,
    memoryGibibytes: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    commit: currentCommit(),
  };
}

function currentCommit(): string {
  try {
    const options = { cwd: import.meta.dirname, encoding: 'utf8', stdio: 'pipe' } as const;
    return execFileSync('git', ['describe', '--always', '--dirty'], options).trim();
  } catch {
    return '';
  }
}
