import { fileURLToPath } from 'node:url';
import { publicKeyFromJwk, vendorKeys } from '@muster/trust';
import { readFleet } from './fleet-file.ts';
import { type FleetResult, runFleet } from './fleet-run.ts';
import { colour, print } from './output.ts';
import type { Site } from './site.ts';

const fleetFile = fileURLToPath(new URL('../demo/fleet.csv', import.meta.url));

/** Between two machines on a terminal, so that eyes can follow. */
const paceMs = 60;

/**
 * Lets the demonstration fleet muster against a running site: every machine asks once, then those that were refused ask
 * again.
 */
export async function musterDemoFleet(site: Site, signal: AbortSignal): Promise<void> {
  if (site.demoVendorKey === undefined) return;
  const options = {
    host: '127.0.0.1',
    port: site.activationPort,
    vendorKeys: vendorKeys(publicKeyFromJwk(site.demoVendorKey)),
    concurrency: 1,
    signal,
    onResult: show,
  };
  const machines = readFleet(fleetFile, 'windows');
  print(`\n${colour('bold', `${machines.length} machines muster:`)} each asks the host for its activation.`);
  const first = await runFleet(machines, options);
  const refused = first.filter((result) => result.code === 'COUNT_INSUFFICIENT');
  if (refused.length > 0 && !signal.aborted) {
    print(`\n${colour('bold', 'The count stands:')} the ${refused.length} that were refused ask again.`);
    await runFleet(refused, options);
  }
}

async function show(result: FleetResult): Promise<void> {
  print(
    `  ${result.machineName.padEnd(12)} ${result.edition.padEnd(24)} ${result.machineClass.padEnd(10)} ${outcome(result)}`,
  );
  if (process.stdout.isTTY) await new Promise((resolve) => setTimeout(resolve, paceMs));
}

function outcome(result: FleetResult): string {
  if (result.code === 'GRANTED') {
    return colour('green', `granted until ${result.expiresAt?.slice(0, 10)}, count ${result.count}`);
  }
  if (result.code === 'COUNT_INSUFFICIENT') {
    return colour('yellow', `refused, count ${result.count} of ${result.threshold}`);
  }
  return colour('red', `${result.code} ${result.message ?? ''}`);
}
