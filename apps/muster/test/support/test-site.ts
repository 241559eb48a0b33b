import { ActivationConnection, type ActivationConnectionOptions, type ActivationQuestion } from '@muster/client';
import type { Parameter } from '@muster/database';
import { ManualClock } from '@muster/service-kit';
import { publicKeyFromJwk, type VendorKeys, vendorKeys } from '@muster/trust';
import type { VerifiedActivation } from '@muster/wire-codec';
import { allCountRules, type Site, type SiteOptions, startSite } from '../../src/site.ts';
import { atTheEnd, until } from './cleanup.ts';
import { dataDirectory } from './data-directory.ts';
import { RawConnection } from './raw-connection.ts';

const firstDay = Date.parse('2026-11-24T12:00:00Z');

/** What stands in the count of an application, for people and without the cap. */
export interface Count {
  readonly count: number;
  readonly machinesCounted: number;
  readonly machinesKnown: number;
  readonly machinesCloned: number;
}

/** A site in this process, its clock, and the clients that ask it over TCP. */
export class TestSite {
  readonly site: Site;
  readonly clock: ManualClock;
  readonly vendorKeys: VendorKeys;
  #applications = 0;

  constructor(site: Site, clock: ManualClock) {
    this.site = site;
    this.clock = clock;
    this.vendorKeys = vendorKeys(publicKeyFromJwk(site.demoVendorKey ?? ''));
  }

  /** The next application of `catalogueOfMany` that no test has used. */
  freshApplication(): string {
    this.#applications += 1;
    return `windows-${this.#applications}`;
  }

  /** A kept connection of a client that trusts the site's vendor and has the same clock. */
  async connect(options: Partial<ActivationConnectionOptions> = {}): Promise<ActivationConnection> {
    const connection = await ActivationConnection.open({
      host: '127.0.0.1',
      port: this.site.activationPort,
      vendorKeys: this.vendorKeys,
      nowMs: () => this.clock.nowMs(),
      ...options,
    });
    atTheEnd(() => connection.close());
    return connection;
  }

  /** A connection that says exactly what it is told to. */
  connectRaw(): Promise<RawConnection> {
    return RawConnection.open(this.site.activationPort);
  }

  /** One machine asks, over a connection of its own. */
  async ask(
    machine: ActivationQuestion,
    options: Partial<ActivationConnectionOptions> = {},
  ): Promise<VerifiedActivation> {
    const connection = await this.connect(options);
    try {
      return await connection.activate(machine);
    } finally {
      connection.close();
    }
  }

  /** Each machine asks when the one before has its answer. */
  async askEach(machines: readonly ActivationQuestion[]): Promise<VerifiedActivation[]> {
    const answers: VerifiedActivation[] = [];
    for (const machine of machines) answers.push(await this.ask(machine));
    return answers;
  }

  /** Moves the clock of the site and its clients, and lets the gateway act on it. */
  async advance(durationMs: number): Promise<void> {
    this.clock.advance(durationMs);
    this.site.gateway.sweep();
    await until(() => this.site.gateway.credentialExpiresAtMs > 0, 'the gateway has a valid credential');
  }

  /** What the site counts in an application. */
  async count(application = 'windows'): Promise<Count> {
    const { counts } = await this.site.counting.getCounts({ rules: allCountRules(this.site.catalogue) });
    const found = counts.find((each) => each.application === application);
    if (found === undefined) throw new Error(`the site does not count ${application}`);
    const { count, machinesCounted, machinesKnown, machinesCloned } = found;
    return { count, machinesCounted, machinesKnown, machinesCloned };
  }

  /** Rows of the site's database. */
  query<Row>(text: string, parameters: readonly Parameter[] = []): Promise<readonly Row[]> {
    return this.site.database.query<Row>({ name: 'acceptance.query', text }, parameters);
  }
}

/** Starts a site with a demo vendor on a clock that stands still. It is stopped at the end of the file. */
export async function startTestSite(options: Partial<SiteOptions> & { clock?: ManualClock } = {}): Promise<TestSite> {
  const clock = options.clock ?? new ManualClock(firstDay);
  const site = await startSite({
    dataDirectory: options.dataDirectory ?? (await dataDirectory()),
    activationPort: 0,
    activationAddress: '127.0.0.1',
    demo: true,
    ...options,
    clock,
    // The clock stands still, so no time passes for a gateway that waits for silence.
    limits: { drainQuietMs: 0, ...options.limits },
  });
  atTheEnd(() => site.stop());
  return new TestSite(site, clock);
}
