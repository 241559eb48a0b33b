import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Guard } from './guard.ts';
import { lastLinesOf } from './log-file.ts';
import { continueTree, killTree, lives, signal, stopTree } from './process-tree.ts';
import type { Address, KillOptions, ProcessEnd, ProcessKind, ProcessRun, StackProcess } from './stack.ts';

/** What is run. */
export interface Command {
  readonly program: string;
  readonly parameters: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Another user, where root may not run it. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** What a process of the stack is, and how it is looked at and ended. */
export interface ProcessDefinition {
  readonly name: string;
  readonly kind: ProcessKind;
  readonly address: Address;
  readonly managementPort: number | undefined;
  readonly logFile: string;
  readonly command: Command;
  /** Whether it is ready. Has to end when the signal aborts; an error means no. */
  readonly probe: (signal: AbortSignal) => Promise<boolean>;
  /** What ends it in order. */
  readonly endSignal: NodeJS.Signals;
  /** Exit codes after which starting it again cannot help. */
  readonly hopelessCodes: readonly number[];
  readonly supervise: boolean;
  readonly guard: Guard;
}

const probeMs = 1_000;
const probeEveryMs = 50;
const readyMs = 30_000;
const startMs = 60_000;
const terminateMs = 40_000;
/** From SIGKILL to the end of the last child. */
const killMs = 10_000;

/** Starts in vain before the supervisor gives up, and its waits between them. */
const startsInVain = 20;
const longestWaitMs = 2_000;

type OpenRun = { -readonly [Key in keyof ProcessRun]: ProcessRun[Key] } & {
  readonly child: ChildProcess;
  readonly ended: Promise<ProcessEnd>;
  asked: boolean;
  ready: boolean;
};

/** See StackProcess, which says what each member means. */
export class ManagedProcess implements StackProcess {
  readonly #definition: ProcessDefinition;
  readonly #runs: OpenRun[] = [];
  /** Whether it is to be there: between `start` and `terminate`, `close`, or a kill that it stays down after. */
  #wanted = false;
  #paused = false;
  #closed = false;
  #startsInVain = 0;
  #gaveUp = false;
  #restart: NodeJS.Timeout | undefined;

  constructor(definition: ProcessDefinition) {
    this.#definition = definition;
  }

  get name(): string {
    return this.#definition.name;
  }

  get kind(): ProcessKind {
    return this.#definition.kind;
  }

  get address(): Address {
    return this.#definition.address;
  }

  get managementPort(): number | undefined {
    return this.#definition.managementPort;
  }

  get logFile(): string {
    return this.#definition.logFile;
  }

  get pid(): number | undefined {
    return this.#present?.pid;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get runs(): readonly ProcessRun[] {
    return this.#runs.map(({ pid, startedAtMs, end }) => ({ pid, startedAtMs, end }));
  }

  async start(): Promise<void> {
    if (this.#closed) throw new Error(`${this.name} belongs to a stack that was stopped.`);
    this.#wanted = true;
    this.#gaveUp = false;
    this.#startsInVain = 0;
    if (this.#present === undefined) this.#spawn();
    await this.waitUntilReady(startMs);
  }

  async isReady(): Promise<boolean> {
    const run = this.#present;
    if (run === undefined || this.#paused) return false;
    const ready = await this.#definition.probe(AbortSignal.timeout(probeMs)).catch(() => false);
    if (!ready || run !== this.#present) return false;
    run.ready = true;
    this.#startsInVain = 0;
    return true;
  }

  async waitUntilReady(longestMs = readyMs): Promise<void> {
    const deadline = Date.now() + longestMs;
    while (!(await this.isReady())) {
      if (this.#present === undefined && this.#restart === undefined) throw this.#failure('is down');
      if (Date.now() > deadline) throw this.#failure(`was not ready after ${longestMs / 1_000} seconds`);
      await delay(probeEveryMs);
    }
  }

  async kill({ stayDown = false, childrenLive = false }: KillOptions = {}): Promise<ProcessEnd> {
    if (stayDown) this.#leaveDown();
    const run = this.#present;
    if (run === undefined) return this.#lastEnd();
    run.asked = true;
    if (childrenLive) signal(run.pid, 'SIGKILL');
    else await goneAll(killTree(run.pid).slice(1));
    return run.ended;
  }

  async terminate(longestMs = terminateMs): Promise<ProcessEnd> {
    this.#leaveDown();
    const run = this.#present;
    if (run === undefined) return this.#lastEnd();
    run.asked = true;
    signal(run.pid, this.#definition.endSignal);
    // A signal reaches a paused process when it goes on.
    this.resume();
    const inTime = await Promise.race([run.ended, delay(longestMs, undefined, { ref: false })]);
    return inTime ?? this.kill();
  }

  async restart(): Promise<void> {
    await this.terminate();
    await this.start();
  }

  pause(): void {
    const run = this.#present;
    if (run === undefined) return;
    this.#paused = true;
    stopTree(run.pid);
  }

  resume(): void {
    const run = this.#present;
    if (run === undefined || !this.#paused) return;
    this.#paused = false;
    continueTree(run.pid);
  }

  residentBytes(): number {
    const run = this.#present;
    if (run === undefined) return 0;
    try {
      const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${run.pid}/status`, 'utf8'))?.[1];
      return Number(kibibytes ?? 0) * 1_024;
    } catch {
      return 0;
    }
  }

  lastLines(number = 20): string {
    return lastLinesOf(this.logFile, number);
  }

  /** Kills it for good: nothing starts it any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.kill({ stayDown: true }).catch(() => undefined);
  }

  get #present(): OpenRun | undefined {
    const last = this.#runs.at(-1);
    return last?.end === undefined ? last : undefined;
  }

  #leaveDown(): void {
    this.#wanted = false;
    clearTimeout(this.#restart);
    this.#restart = undefined;
  }

  #lastEnd(): ProcessEnd {
    const end = this.#runs.at(-1)?.end;
    if (end === undefined) throw new Error(`${this.name} has never run.`);
    return end;
  }

  #spawn(): void {
    const { command, guard } = this.#definition;
    const log = openSync(this.logFile, 'a');
    // In a session of its own: Ctrl-C on the terminal reaches the stack alone, which ends its processes in order.
    const child = spawn(command.program, command.parameters, {
      detached: true,
      env: { ...command.environment },
      stdio: ['ignore', log, log],
      ...command.user,
    });
    closeSync(log);
    child.on('error', () => undefined);
    const { pid } = child;
    if (pid === undefined) throw new Error(`${command.program} could not be started for ${this.name}.`);
    guard.watch(pid);
    const ended = new Promise<ProcessEnd>((resolve) => {
      child.once('exit', (code, name) => {
        guard.forget(pid);
        const end = { atMs: Date.now(), code: code ?? undefined, signal: name ?? undefined, asked: run.asked };
        run.end = end;
        this.#paused = false;
        this.#superviseAfter(run, end);
        resolve(end);
      });
    });
    const run: OpenRun = { pid, startedAtMs: Date.now(), end: undefined, child, ended, asked: false, ready: false };
    this.#runs.push(run);
    if (this.#runs.length > 1) this.#watchReadiness(run);
  }

  #superviseAfter(run: OpenRun, end: ProcessEnd): void {
    if (!this.#wanted || !this.#definition.supervise) return;
    this.#startsInVain = run.ready ? 0 : this.#startsInVain + 1;
    const hopeless = end.code !== undefined && this.#definition.hopelessCodes.includes(end.code);
    if (hopeless || this.#startsInVain >= startsInVain) {
      this.#gaveUp = true;
      return;
    }
    const waitMs = this.#startsInVain === 0 ? 0 : Math.min(100 * 2 ** (this.#startsInVain - 1), longestWaitMs);
    this.#restart = setTimeout(() => {
      this.#restart = undefined;
      this.#spawn();
    }, waitMs);
  }

  /** Finds out that a start by the supervisor was not in vain, when nobody else asks. */
  async #watchReadiness(run: OpenRun): Promise<void> {
    while (run.end === undefined && !run.ready) {
      await this.isReady();
      await delay(probeEveryMs * 4, undefined, { ref: false });
    }
  }

  #failure(what: string): Error {
    const end = this.#runs.at(-1)?.end;
    const how = end === undefined ? '' : ` (it ended ${end.signal ? `by ${end.signal}` : `with code ${end.code}`})`;
    const gaveUp = this.#gaveUp ? ' and is not started again' : '';
    return new Error(`${this.name} ${what}${how}${gaveUp}. The end of ${this.logFile}:\n${this.lastLines()}`);
  }
}

/** Waits until processes that were killed are gone. */
async function goneAll(pids: readonly number[]): Promise<void> {
  const deadline = Date.now() + killMs;
  while (pids.some(lives) && Date.now() < deadline) await delay(10);
}
