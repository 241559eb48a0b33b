/** What one look at a part or a dependency found. */
export interface CheckResult {
  readonly ok: boolean;
  /** One short sentence for people: what is wrong, or how it stands. */
  readonly detail?: string;
}

/** A part or a dependency that is looked at. */
export interface Check {
  readonly name: string;
  /** Whether the service is of no use without it, and so not ready. Others are told and change nothing. */
  readonly required: boolean;
  look(): CheckResult | Promise<CheckResult>;
}

/** What a readiness probe is answered. */
export interface ReadinessReport {
  readonly ready: boolean;
  readonly state: 'starting' | 'running' | 'draining';
  readonly checks: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly ok: boolean;
    readonly detail: string;
  }[];
}

/** A look that lasts longer has failed. */
const lookMs = 1_000;
/** A look that never ends is given up after so long. Until then nobody looks beside it: looks must not pile up. */
const abandonMs = 30_000;
const watchEveryMs = 1_000;

/**
 * Whether a service can do its work at this moment. Each question looks at every dependency again: nothing is told
 * that is not so.
 */
export class Readiness {
  readonly #checks: Check[] = [];
  readonly #looks = new Map<Check, { readonly result: Promise<CheckResult>; readonly sinceMs: number }>();
  #state: ReadinessReport['state'] = 'starting';
  #asking: Promise<ReadinessReport> | undefined;
  readonly #watchers = new Set<(ready: boolean) => void>();
  #timer: NodeJS.Timeout | undefined;

  add(check: Check): void {
    this.#checks.push(check);
  }

  /** The service has started. */
  started(): void {
    if (this.#state === 'starting') this.#state = 'running';
    this.#tell();
  }

  /** The service ends: from now on it is not ready. */
  draining(): void {
    this.#state = 'draining';
    for (const watcher of this.#watchers) watcher(false);
  }

  /** Looks at everything. Questions at the same time share one look. */
  report(): Promise<ReadinessReport> {
    this.#asking ??= this.#look().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /**
   * Tells about every second whether the service is ready.
   *
   * @returns what ends it.
   */
  watch(watcher: (ready: boolean) => void): () => void {
    this.#watchers.add(watcher);
    this.#timer ??= setInterval(() => this.#tell(), watchEveryMs).unref();
    this.#tell();
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #tell(): void {
    if (this.#watchers.size === 0) return;
    this.report().then(({ ready }) => {
      for (const watcher of this.#watchers) watcher(ready && this.#state === 'running');
    });
  }

  async #look(): Promise<ReadinessReport> {
    const checks = await Promise.all(
      this.#checks.map(async (check) => {
        const { ok, detail = '' } = await withinTime(this.#lookAt(check));
        return { name: check.name, required: check.required, ok, detail };
      }),
    );
    const ready = this.#state === 'running' && checks.every(({ ok, required }) => ok || !required);
    return { ready, state: this.#state, checks };
  }

  /** The look that is under way, or a new one. */
  #lookAt(check: Check): Promise<CheckResult> {
    const running = this.#looks.get(check);
    if (running !== undefined && performance.now() - running.sinceMs < abandonMs) return running.result;
    const result = look(check).finally(() => {
      if (this.#looks.get(check)?.result === result) this.#looks.delete(check);
    });
    this.#looks.set(check, { result, sinceMs: performance.now() });
    return result;
  }
}

async function look(check: Check): Promise<CheckResult> {
  try {
    return await check.look();
  } catch (error) {
    return { ok: false, detail: (error as Error).message };
  }
}

async function withinTime(result: Promise<CheckResult>): Promise<CheckResult> {
  const late = Promise.withResolvers<CheckResult>();
  const timer = setTimeout(() => late.resolve({ ok: false, detail: `no answer within ${lookMs} ms` }), lookMs);
  try {
    return await Promise.race([result, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
