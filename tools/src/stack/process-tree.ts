import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Whether a process lives; one that only waits for its parent to look at its end (a zombie) does not. */
export function lives(pid: number): boolean {
  const state = stateOf(pid);
  return state !== undefined && state !== 'Z';
}

/** What a process does, one letter as ps(1) shows it: `T` when it is stopped. Undefined when it is gone. */
export function stateOf(pid: number): string | undefined {
  return processes()
    .find((each) => each.pid === pid)
    ?.state.charAt(0);
}

/** Sends a signal; does nothing when the process is gone. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Stops a process and then everything below it. PostgreSQL's backends have sessions of their own, so that a process
 * group does not hold them: they are found by their parents.
 *
 * @returns the processes that were stopped, the given one first.
 */
export function stopTree(pid: number): readonly number[] {
  // First the parent: who is stopped makes no new children.
  signal(pid, 'SIGSTOP');
  const children = childrenOf(pid);
  return [pid, ...children.flatMap(stopTree)];
}

/** Kills a process and everything below it by SIGKILL, the children first. */
export function killTree(pid: number): readonly number[] {
  const tree = stopTree(pid);
  for (const each of tree.toReversed()) signal(each, 'SIGKILL');
  return tree;
}

/** Lets a process and everything below it go on, the children first. */
export function continueTree(pid: number): void {
  for (const child of childrenOf(pid)) continueTree(child);
  signal(pid, 'SIGCONT');
}

function childrenOf(parent: number): readonly number[] {
  return processes()
    .filter((each) => each.parent === parent)
    .map(({ pid }) => pid);
}

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

function processes(): readonly ProcessEntry[] {
  return existsSync('/proc/self/stat') ? fromProc() : fromPs();
}

function fromProc(): readonly ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // proc(5): the name stands in brackets and may hold anything; state and parent follow.
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [state = '', parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      entries.push({ pid: Number(name), parent: Number(parent), state });
    } catch {
      // It ended meanwhile.
    }
  }
  return entries;
}

function fromPs(): readonly ProcessEntry[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,state='], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => {
    const [pid, parent, state = ''] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), state };
  });
}
