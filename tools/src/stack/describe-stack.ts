import { relative, sep } from 'node:path';
import { textOf } from './service-process.ts';
import type { Stack } from './stack.ts';

// Of the checkout, where npm runs the command.
const command = 'apps/muster/bin/muster';
const fleetFile = 'apps/muster/demo/fleet.csv';

/** What `--json` prints when a stack is ready. */
export function stackDocument(stack: Stack) {
  return {
    ready: true,
    processId: process.pid,
    directory: stack.directory,
    vendorKeyFile: stack.vendorKeyFile,
    databases: {
      counting: stack.postgresql.databaseUrl('counting'),
      policy: stack.postgresql.databaseUrl('policy'),
    },
    nats: stack.nats.url,
    administrator: administratorFilesOf(stack),
    processes: stack.processes.map(({ name, kind, pid, address, managementPort, logFile }) => ({
      name,
      kind,
      pid,
      address: textOf(address),
      managementPort,
      logFile,
    })),
  };
}

/** The processes as a table, and what to do next. */
export function stackText(stack: Stack): string {
  const head = ['SERVICE', 'REPLICA', 'PID', 'ADDRESS', 'MANAGEMENT', 'LOG'];
  const rows = stack.processes.map(({ name, kind, pid, address, managementPort, logFile }) => [
    kind,
    name,
    String(pid ?? 'down'),
    textOf(address),
    managementPort === undefined ? '-' : String(managementPort),
    relative(stack.directory, logFile),
  ]);
  const hosts = stack.gateways.map(({ address }) => textOf(address));
  const [management] = stack.gateways.map(({ managementPort }) => managementPort);
  const tls = administratorFilesOf(stack);
  const [counting] = stack.countings.map(({ address }) => textOf(address));
  return [
    ...aligned([head, ...rows]),
    '',
    ...aligned([
      ['Directory', stack.directory],
      ['Vendor key', stack.vendorKeyFile],
      ['Database', stack.postgresql.databaseUrl('counting')],
      ['Events', `${stack.nats.url}, stream MUSTER`],
    ]),
    '',
    'Next:',
    ...hosts.map((host) => `  ${command} fleet run ${fleetFile} --host ${host} --vendor-key ${stack.vendorKeyFile}`),
    `  curl http://127.0.0.1:${management}/statusz`,
    `  tail -f ${stack.directory}${sep}logs${sep}*.log`,
    '',
    'As administrator:',
    `  export MUSTER_TLS_CA_FILE=${tls.caFile} MUSTER_TLS_CERTIFICATE_FILE=${tls.certificateFile} MUSTER_TLS_KEY_FILE=${tls.keyFile}`,
    `  ${command} events replay --since 2026-01-01 --counting ${counting}`,
    '',
    'Ctrl-C stops everything.',
    '',
  ].join('\n');
}

/** The certificate by which a command may ask what an administrator asks. */
function administratorFilesOf({ certificates }: Stack) {
  return certificates.filesOf('administrator', 'administrator');
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
