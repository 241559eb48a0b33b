import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import type { Counting } from '@muster/contracts/counting';
import { countingMigrations, createCounting, LogKeeper, OutboxRelay } from '@muster/counting';
import { type Database, lockDirectory, makeDataDirectory, openDatabase } from '@muster/database';
import { type EventListener, InProcessBus } from '@muster/events';
import {
  createPolicyAdministration,
  type KeyAuthority,
  KeyKeeper,
  LicensingPolicyService,
  ProductKeys,
  policyMigrations,
} from '@muster/licensing-policy';
import type { Catalogue } from '@muster/product-groups';
import { countRules, defaultLimits, type GatewayLimits, ProtocolGateway } from '@muster/protocol-gateway';
import { type Clock, createLogger, type Logger, secretFile, systemClock } from '@muster/service-kit';
import { readCatalogue } from './catalogue-source.ts';
import { type DemoKey, DemoVendor, demoKeys } from './demo-vendor.ts';
import { LocalSocket } from './local-socket.ts';
import { hostKeySecretFile } from './paths.ts';
import { siteStatus } from './site-status.ts';

/** What a site is started with. */
export interface SiteOptions {
  readonly dataDirectory: string;
  /** 0 lets the system choose. */
  readonly activationPort: number;
  /** All addresses when it is left out. */
  readonly activationAddress?: string;
  /** A built-in catalogue or a file; the one in force, or `windows-2008`, when it is left out. */
  readonly catalogue?: string;
  /** The platform that the host says it runs on; one that suits the keys when it is left out. */
  readonly hostPlatform?: string;
  /** Makes a demo vendor and activates keys. */
  readonly demo: boolean;
  /** Kinds of key to activate; the widest of each application when empty. */
  readonly demoKeys?: readonly string[];
  /** `postgres://...` instead of the embedded database. */
  readonly databaseUrl?: string;
  /** The authority of the vendor, to activate and renew KMS keys online; without it they are activated offline. */
  readonly authority?: KeyAuthority;
  /** Whole months that the activation log is kept for, beside the present one; 0 for ever. */
  readonly logRetentionMonths?: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly limits?: Partial<GatewayLimits>;
  /** Gets every event, also those that an earlier process committed and could not publish any more. */
  readonly onEvent?: EventListener;
}

/** A site that runs in this process. */
export interface Site {
  readonly activationPort: number;
  readonly dataDirectory: string;
  readonly policy: LicensingPolicyService;
  readonly productKeys: ProductKeys;
  readonly keyKeeper: KeyKeeper;
  readonly counting: Counting;
  readonly gateway: ProtocolGateway;
  readonly bus: InProcessBus;
  readonly database: Database;
  /** The catalogue in force; undefined without a vendor. */
  readonly catalogue: Catalogue | undefined;
  /** The demo vendor's public key, a JWK; undefined without one. */
  readonly demoVendorKey: string | undefined;
  /** Answers what has been asked, then stops every part. */
  stop(): Promise<void>;
}

/** The parts that are open, the last first: what a start that fails midway has to close. */
type Closers = (() => Promise<void> | void)[];

const firstCatalogue = 'windows-2008';

/**
 * Runs all services in this process on embedded parts (DESIGN 4.2). This and the apps' own `main.ts` are the only
 * places that choose adapters.
 *
 * @throws MusterError saying what stands in the way; then nothing stays open.
 */
export async function startSite(options: SiteOptions): Promise<Site> {
  const closers: Closers = [];
  try {
    return await start(options, closers);
  } catch (error) {
    for (const close of closers.reverse()) await close();
    throw error;
  }
}

async function start(options: SiteOptions, closers: Closers): Promise<Site> {
  const { clock = systemClock, logger = createLogger('muster', 'warn') } = options;
  const dataDirectory = resolve(options.dataDirectory);
  const wanted = options.catalogue === undefined ? undefined : readCatalogue(options.catalogue);

  const database = await openSiteDatabase(options, dataDirectory, closers);
  await database.migrate(policyMigrations);
  await database.migrate(countingMigrations);

  const keyEncryptionKey = secretFile(hostKeySecretFile(dataDirectory));
  const policy = await LicensingPolicyService.open({ database, clock, logger, keyEncryptionKey });
  closers.push(() => policy.close());
  const productKeys = new ProductKeys({
    policy,
    database,
    clock,
    logger,
    keyEncryptionKey,
    authority: options.authority,
  });
  const vendor = options.demo || DemoVendor.exists(dataDirectory) ? DemoVendor.open(dataDirectory) : undefined;
  if (vendor !== undefined) {
    await policy.trustVendor(vendor.publicKeyJwk);
    const text = wanted?.text ?? (policy.state.signedCatalogue === '' ? readCatalogue(firstCatalogue).text : undefined);
    if (text !== undefined) await policy.installCatalogue(await vendor.signCatalogue(text));
  }
  const catalogue = await policy.catalogue();
  const keys = options.demo && catalogue !== undefined ? demoKeys(catalogue, options.demoKeys ?? []) : [];
  await choosePlatform(policy, catalogue, keys, options.hostPlatform);
  for (const key of keys) await activateKey(policy, vendor, key, clock);
  const keyKeeper = new KeyKeeper({ policy, keys: productKeys, database, clock, logger });
  keyKeeper.start();
  closers.push(() => keyKeeper.stop());

  const { logRetentionMonths } = options;
  const keeper = new LogKeeper({
    database,
    clock,
    logger,
    ...(logRetentionMonths === undefined ? {} : { logRetentionMonths }),
  });
  keeper.start();
  closers.push(() => keeper.stop());
  const bus = new InProcessBus();
  if (options.onEvent !== undefined) bus.subscribe(options.onEvent);
  const relay = new OutboxRelay({ database, bus, hostId: policy.host.hostId, logger });
  const counting = createCounting({ database, clock, logger, onCommitted: () => relay.wake() });
  closers.push(() => relay.stop());
  const gateway = new ProtocolGateway({
    gatewayId: `gateway-${randomBytes(4).toString('hex')}`,
    policy,
    counting,
    clock,
    logger,
    limits: { ...defaultLimits, ...options.limits },
  });
  closers.push(() => gateway.drain());
  const activationPort = await gateway.start(options.activationAddress, options.activationPort);
  relay.start();

  const startedAtMs = clock.nowMs();
  const status = () =>
    siteStatus({
      policy,
      counting,
      gateway,
      relay,
      catalogue,
      dataDirectory,
      startedAtMs,
      activationAddress: `${options.activationAddress ?? '*'}:${activationPort}`,
    });
  const policyAdministration = createPolicyAdministration(policy, productKeys, clock);
  closers.push(await LocalSocket.open(dataDirectory, { counting, policyAdministration, status, catalogue }));

  return {
    activationPort,
    dataDirectory,
    policy,
    productKeys,
    keyKeeper,
    counting,
    gateway,
    bus,
    database,
    catalogue,
    demoVendorKey: vendor?.publicKeyJwk,
    async stop() {
      for (const close of closers.splice(0).reverse()) await close();
    },
  };
}

async function openSiteDatabase(options: SiteOptions, dataDirectory: string, closers: Closers): Promise<Database> {
  if (options.databaseUrl !== undefined) {
    makeDataDirectory(dataDirectory);
    const lock = lockDirectory(dataDirectory);
    closers.push(() => lock.release());
  }
  const database = await openDatabase(options.databaseUrl ?? dataDirectory);
  closers.push(() => database.close());
  return database;
}

/** The platform that was named; else the one that is set; else the first that may host every key. */
async function choosePlatform(
  policy: LicensingPolicyService,
  catalogue: Catalogue | undefined,
  keys: readonly DemoKey[],
  named: string | undefined,
): Promise<void> {
  if (catalogue === undefined) return;
  if (named !== undefined) {
    await policy.setPlatform(named);
    return;
  }
  const platform = policy.host.platform;
  const suits = (id: string) => keys.every(({ group }) => group.hostPlatforms.some((each) => each === id));
  if (platform !== '' && suits(platform)) return;
  const suitable = [...catalogue.hostPlatforms.keys()].find(suits);
  if (suitable !== undefined) await policy.setPlatform(suitable);
}

async function activateKey(
  policy: LicensingPolicyService,
  vendor: DemoVendor | undefined,
  { application, group }: DemoKey,
  clock: Clock,
): Promise<void> {
  if (vendor === undefined) return;
  await policy.checkPlatform(application.id, group.id);
  await policy.installHostCertificate(await vendor.activateHost(policy.host, application, group, clock.nowMs()));
}

/** The rules of every application of a catalogue. */
export function allCountRules(catalogue: Catalogue | undefined) {
  return [...(catalogue?.applications.values() ?? [])].map(countRules);
}
