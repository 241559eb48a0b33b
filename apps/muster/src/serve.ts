import { rmSync } from 'node:fs';
import { connectToAuthority } from '@muster/licensing-policy';
import { createLogger, type LogLevel } from '@muster/service-kit';
import { musterDemoFleet } from './demo-fleet.ts';
import { colour, exitCodes, formatTime, print, printJson, say } from './output.ts';
import { type Site, startSite } from './site.ts';
import { rememberVendor } from './trusted-vendors.ts';

/** The options of `muster serve`, parsed. */
export interface ServeOptions {
  readonly dataDirectory: string;
  /** Whether the directory is removed at the end, and with it the demo vendor. */
  readonly temporary: boolean;
  readonly activationPort: number;
  readonly activationAddress?: string | undefined;
  /** 0 for no limit, here and in the next two. */
  readonly connectionsPerAddress: number;
  readonly connectionRatePerAddress: number;
  readonly requestRatePerAddress: number;
  /** 0 for ever. */
  readonly logRetentionMonths: number;
  readonly catalogue?: string | undefined;
  readonly hostPlatform?: string | undefined;
  readonly demo: boolean;
  readonly demoKey: readonly string[];
  readonly demoFleet: boolean;
  readonly database?: string | undefined;
  /** `host:port`; KMS keys are activated offline without it. */
  readonly authority?: string | undefined;
  readonly authorityCa?: string | undefined;
  readonly authorityPlain: boolean;
  readonly logLevel: LogLevel;
  readonly json: boolean;
}

/**
 * Runs a site until it is told to stop.
 *
 * @throws MusterError when it cannot start.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const stop = stopSignal();
  // A person waits for some seconds; a script is told only what went wrong.
  if (process.stderr.isTTY) say('Starting the database and the services ...');
  const link = linkToAuthority(options);
  const site = await startSite({
    dataDirectory: options.dataDirectory,
    activationPort: options.activationPort,
    demo: options.demo || options.demoFleet || options.demoKey.length > 0,
    demoKeys: options.demoKey,
    logger: createLogger('muster', options.logLevel),
    limits: {
      connectionsPerAddress: options.connectionsPerAddress,
      connectionRatePerAddress: options.connectionRatePerAddress,
      requestRatePerAddress: options.requestRatePerAddress,
    },
    logRetentionMonths: options.logRetentionMonths,
    ...(options.activationAddress === undefined ? {} : { activationAddress: options.activationAddress }),
    ...(options.catalogue === undefined ? {} : { catalogue: options.catalogue }),
    ...(options.hostPlatform === undefined ? {} : { hostPlatform: options.hostPlatform }),
    ...(options.database === undefined ? {} : { databaseUrl: options.database }),
    ...(link === undefined ? {} : { authority: link.authority }),
  });
  const vendorKeyFile = rememberDemoVendor(site);
  try {
    if (options.catalogue !== undefined && site.catalogue === undefined) {
      say(`The catalogue ${options.catalogue} is valid and not in force: no vendor has signed it here.`);
    }
    if (options.json) printJson(readyDocument(site, vendorKeyFile));
    else printReady(site, options, vendorKeyFile);
    if (options.demoFleet) await musterDemoFleet(site, stop.signal);
    if (!options.json && !stop.signal.aborted) printNext(site, options);
    await stop.asked;
    if (process.stderr.isTTY) say('Answering what has been asked, then stopping ...');
  } finally {
    await site.stop();
    link?.close();
    if (options.temporary && vendorKeyFile !== undefined) rmSync(vendorKeyFile, { force: true });
  }
}

function linkToAuthority({ authority: address, authorityCa: caFile, authorityPlain: plain }: ServeOptions) {
  return address === undefined ? undefined : connectToAuthority({ address, caFile, plain });
}

/** The first SIGINT or SIGTERM asks to stop, the second one ends the process at once. */
function stopSignal(): { readonly asked: Promise<void>; readonly signal: AbortSignal } {
  const controller = new AbortController();
  const asked = new Promise<void>((resolve) => {
    controller.signal.addEventListener('abort', () => resolve());
  });
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(exitCodes.interrupted);
      controller.abort();
    });
  }
  return { asked, signal: controller.signal };
}

function rememberDemoVendor({ demoVendorKey }: Site): string | undefined {
  if (demoVendorKey === undefined) return undefined;
  try {
    return rememberVendor(demoVendorKey);
  } catch (error) {
    say(`The demo vendor's key could not be kept for this user's other commands: ${(error as Error).message}`);
    return undefined;
  }
}

function readyDocument(site: Site, vendorKeyFile: string | undefined): object {
  return {
    ready: true,
    processId: process.pid,
    activationPort: site.activationPort,
    dataDirectory: site.dataDirectory,
    hostId: site.policy.host.hostId,
    hostPlatform: site.policy.host.platform,
    catalogue: site.catalogue?.id ?? null,
    keys: site.policy.state.keys.map(({ application, productGroup, key, expiresAtMs }) => ({
      application,
      productGroup,
      key,
      expiresAt: new Date(expiresAtMs).toISOString(),
    })),
    vendorKeyFile: vendorKeyFile ?? null,
  };
}

function printReady(site: Site, options: ServeOptions, vendorKeyFile: string | undefined): void {
  const { policy, catalogue } = site;
  const line = (name: string, text: string) => print(`  ${colour('bold', name.padEnd(12))}${text}`);
  print(colour('green', 'Muster is ready.'));
  line('activation', `port ${site.activationPort} on ${options.activationAddress ?? 'all addresses'}`);
  line('host', `${policy.host.hostId}${policy.host.platform === '' ? '' : ` on ${policy.host.platform}`}`);
  if (catalogue === undefined) {
    line('catalogue', 'none: no vendor has signed one here; `muster serve --demo` makes a demo vendor');
  } else {
    line('catalogue', `${catalogue.id} version ${catalogue.version}`);
  }
  for (const key of policy.state.keys) {
    line('key', `${key.key} (${key.productGroup}) by ${key.vendor}, until ${formatTime(key.expiresAtMs).slice(0, 10)}`);
  }
  line('data', site.dataDirectory);
  if (vendorKeyFile !== undefined) line('vendor key', vendorKeyFile);
}

function printNext(site: Site, options: ServeOptions): void {
  const command = 'npx muster';
  print(`
Try next, in another terminal:
  ${command} status --data ${site.dataDirectory}
  ${command} machines list --data ${site.dataDirectory}
  ${command} fleet run apps/muster/demo/fleet.csv --host 127.0.0.1:${site.activationPort}
  ${command} catalogue show ${options.catalogue ?? site.catalogue?.id ?? 'windows-2008'}
Ctrl-C stops it.`);
}
