/** What of the shipped configuration of NATS differs in a stack. */
export interface NatsChanges {
  /** Of the server that reads it. */
  readonly version: readonly [major: number, minor: number];
  readonly storeDirectory: string;
}

/** Options of the shipped file that an older server refuses, and the first version that knows each. */
const firstVersions: Readonly<Record<string, readonly [major: number, minor: number]>> = {
  sync_interval: [2, 10],
};

/** The shipped configuration (deploy/nats/nats.conf) as a server of a stack reads it. */
export function natsConfiguration(shipped: string, { version, storeDirectory }: NatsChanges): string {
  const lines = shipped.split('\n').flatMap((line) => {
    const name = /^\s*([a-z_]+)\s*[:=]/.exec(line)?.[1] ?? '';
    if (!knows(version, firstVersions[name])) return [];
    return name === 'store_dir' ? [`  store_dir: ${JSON.stringify(storeDirectory)}`] : [line];
  });
  return lines.join('\n');
}

function knows([major, minor]: NatsChanges['version'], first: NatsChanges['version'] | undefined): boolean {
  return first === undefined || major > first[0] || (major === first[0] && minor >= first[1]);
}
