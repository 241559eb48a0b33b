import pg from 'pg';
import { describeFault, type Fault } from './fault.ts';
import type { FaultSite } from './fault-site.ts';
import { jetStreamWorks } from './jetstream-works.ts';
import { limitStream } from './stream-limit.ts';
import { pause, until } from './until.ts';

/** A fault that is in force. */
export interface AppliedFault {
  /** Ends it. Resolves when what was broken is there again, as far as that is the fault's affair. */
  heal(): Promise<void>;
  /** What shows that it took effect; undefined when nothing does. Asked after `heal`. */
  effect(): string | undefined;
}

/** A supervisor starts a process within this, or a hand would be needed. */
const restartMs = 15_000;
/** A moment for an end to be noticed. */
const noticeMs = 300;
const mostConnections = 500;
const connectingAtOnce = 8;
/** The services look at their certificates every 5 seconds. */
const certificatesNoticedMs = 5_500;

/** Puts a fault in force. */
export function applyFault(site: FaultSite, fault: Fault): Promise<AppliedFault> {
  switch (fault.kind) {
    case 'kill':
      return kill(site, fault.process);
    case 'down':
      return down(site, fault.process);
    case 'pause':
      return pauseProcess(site, fault.process);
    case 'cut':
      return cut(site, fault.link);
    case 'delay':
      return changeLink(site, fault.link, { kind: 'delay', milliseconds: fault.milliseconds });
    case 'black-hole':
      return changeLink(site, fault.link, { kind: 'black-hole', direction: fault.direction });
    case 'disk-full':
      return fillDisk(site);
    case 'clock':
      return setClock(site, fault);
    case 'connections':
      return useUpConnections(site);
    case 'certificates':
      return exchangeCertificates(site, fault.newAuthority);
  }
}

/** How long a fault is held, milliseconds; a kill is over when the process is there again. */
export function holdMsOf(fault: Fault): number {
  if (fault.kind === 'kill') return noticeMs;
  return fault.kind === 'certificates' ? certificatesNoticedMs : fault.holdMs;
}

async function kill(site: FaultSite, name: string): Promise<AppliedFault> {
  const process = site.stack.process(name);
  const runs = process.runs.length;
  const end = await process.kill();
  return {
    async heal() {
      await until(() => process.runs.length > runs, `the supervisor starts ${name} again`, restartMs);
      await process.waitUntilReady(restartMs);
    },
    effect: () => (end.signal === 'SIGKILL' ? `${name} was killed and started again` : undefined),
  };
}

async function down(site: FaultSite, name: string): Promise<AppliedFault> {
  const process = site.stack.process(name);
  const end = await process.kill({ stayDown: true });
  return {
    heal: () => process.start(),
    effect: () => (end.signal === 'SIGKILL' ? `${name} was killed and stayed down` : undefined),
  };
}

async function pauseProcess(site: FaultSite, name: string): Promise<AppliedFault> {
  const process = site.stack.process(name);
  const { pid } = process;
  process.pause();
  const stopped = process.paused;
  return {
    async heal() {
      process.resume();
    },
    effect: () => (stopped && pid === process.pid ? `${name} was stopped and went on` : undefined),
  };
}

async function cut(site: FaultSite, name: string): Promise<AppliedFault> {
  const { proxy } = site.link(name);
  await proxy.setMode({ kind: 'refuse' });
  const connections = proxy.cut();
  return {
    heal: () => proxy.setMode({ kind: 'pass' }),
    effect: () => (connections > 0 ? `${connections} connections were reset` : undefined),
  };
}

async function changeLink(
  site: FaultSite,
  name: string,
  mode: Parameters<FaultSite['links'][number]['proxy']['setMode']>[0],
): Promise<AppliedFault> {
  const { proxy } = site.link(name);
  const before = proxy.bytesSeen;
  const open = proxy.openConnections;
  await proxy.setMode(mode);
  return {
    heal: () => proxy.setMode({ kind: 'pass' }),
    effect() {
      const bytes = proxy.bytesSeen - before;
      // A quiet link (gateways say hello to NATS every few seconds) was held all the same.
      return bytes > 0 || open > 0 ? `${open} connections and ${bytes} bytes were held` : undefined;
    },
  };
}

async function fillDisk(site: FaultSite): Promise<AppliedFault> {
  const { natsStore } = site;
  if (!natsStore.isMounted) {
    const limit = await limitStream(site.stack.nats.url);
    return { heal: () => limit.lift(), effect: () => (limit.refused ? 'the stream took no more' : undefined) };
  }
  const bytes = natsStore.fill();
  let leftBytes = Number.POSITIVE_INFINITY;
  return {
    async heal() {
      leftBytes = natsStore.freeBytes;
      natsStore.free();
      await until(() => jetStreamWorks(site.stack.nats.url), 'JetStream works again', restartMs);
    },
    // JetStream takes what it had allocated; whatever is removed is filled by what is published.
    effect: () => (leftBytes < bytes ? `${bytes} bytes were filled, ${leftBytes} were left` : undefined),
  };
}

async function setClock(site: FaultSite, fault: Extract<Fault, { kind: 'clock' }>): Promise<AppliedFault> {
  const { pid } = site.stack.process(fault.process);
  const inForce = pid !== undefined && site.clocks.isInForce(pid);
  site.clocks.set(fault.process, fault.setting);
  return {
    async heal() {
      site.clocks.set(fault.process, { offsetSeconds: 0 });
    },
    effect: () => (inForce ? describeFault(fault) : undefined),
  };
}

async function useUpConnections(site: FaultSite): Promise<AppliedFault> {
  const clients: pg.Client[] = [];
  let refusal = '';
  const connectUntilRefused = async () => {
    while (refusal === '' && clients.length < mostConnections) {
      const client = new pg.Client({ connectionString: site.stack.postgresql.databaseUrl('counting') });
      client.on('error', () => undefined);
      try {
        await client.connect();
        clients.push(client);
      } catch (error) {
        refusal = (error as Error).message;
      }
    }
  };
  await Promise.all(Array.from({ length: connectingAtOnce }, connectUntilRefused));
  return {
    async heal() {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
    },
    effect: () => (refusal === '' ? undefined : `PostgreSQL refused after ${clients.length} connections: ${refusal}`),
  };
}

/** Everybody gets a new certificate; by a new authority, everybody is told to trust it before, and it alone after. */
async function exchangeCertificates(site: FaultSite, newAuthority: boolean): Promise<AppliedFault> {
  const { certificates } = site.stack;
  if (newAuthority) {
    certificates.addAuthority();
    await pause(certificatesNoticedMs);
  }
  for (const name of certificates.names) certificates.rotate(name);
  return {
    async heal() {
      if (newAuthority) certificates.retireOldAuthorities();
    },
    effect: () => `${certificates.names.length} certificates were exchanged`,
  };
}
