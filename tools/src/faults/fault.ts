import type { ClockSetting } from './faked-clocks.ts';
import type { ProxyMode } from './tcp-proxy.ts';

/** A fault as it is planned: nothing but data, drawn from the seed. */
export type Fault =
  /** `kill -9`; the supervisor starts the process again at once. */
  | { readonly kind: 'kill'; readonly process: string }
  /** `kill -9`, and the process stays down for a time. */
  | { readonly kind: 'down'; readonly process: string; readonly holdMs: number }
  /** SIGSTOP, and SIGCONT after a time. */
  | { readonly kind: 'pause'; readonly process: string; readonly holdMs: number }
  /** Every connection of a link is reset, and new ones are refused for a time. */
  | { readonly kind: 'cut'; readonly link: string; readonly holdMs: number }
  /** Everything on a link arrives later. */
  | { readonly kind: 'delay'; readonly link: string; readonly milliseconds: number; readonly holdMs: number }
  /** Nothing arrives on a link any more, in both directions or in one. */
  | {
      readonly kind: 'black-hole';
      readonly link: string;
      readonly direction: Extract<ProxyMode, { kind: 'black-hole' }>['direction'];
      readonly holdMs: number;
    }
  /** JetStream cannot store any more. */
  | { readonly kind: 'disk-full'; readonly holdMs: number }
  /** The wall clock of a service jumps, and jumps back after a time. */
  | { readonly kind: 'clock'; readonly process: string; readonly setting: ClockSetting; readonly holdMs: number }
  /** Others use up every connection that PostgreSQL allows. */
  | { readonly kind: 'connections'; readonly holdMs: number }
  /** New keys and certificates for everybody; by a new authority when it says so, the old one being retired after. */
  | { readonly kind: 'certificates'; readonly newAuthority: boolean };

export type FaultKind = Fault['kind'];

/** All kinds, as the option `--only` names them. */
export const faultKinds = [
  'kill',
  'down',
  'pause',
  'cut',
  'delay',
  'black-hole',
  'disk-full',
  'clock',
  'connections',
  'certificates',
] as const satisfies readonly FaultKind[];

/** A fault in a few words. */
export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return `kill -9 ${fault.process}`;
    case 'down':
      return `${fault.process} down for ${seconds(fault.holdMs)}`;
    case 'pause':
      return `SIGSTOP ${fault.process} for ${seconds(fault.holdMs)}`;
    case 'cut':
      return `cut ${fault.link} for ${seconds(fault.holdMs)}`;
    case 'delay':
      return `delay ${fault.link} by ${fault.milliseconds} ms for ${seconds(fault.holdMs)}`;
    case 'black-hole':
      return `black hole ${fault.link} (${fault.direction}) for ${seconds(fault.holdMs)}`;
    case 'disk-full':
      return `NATS disk full for ${seconds(fault.holdMs)}`;
    case 'clock':
      return `clock of ${fault.process} ${describeSetting(fault.setting)} for ${seconds(fault.holdMs)}`;
    case 'connections':
      return `PostgreSQL connections used up for ${seconds(fault.holdMs)}`;
    case 'certificates':
      return fault.newAuthority ? 'new authority, the old one retired' : 'new certificates for everybody';
  }
}

/** What a fault takes hold of: two faults at the same time never have one in common. */
export function touched(fault: Fault): readonly string[] {
  switch (fault.kind) {
    case 'kill':
    case 'down':
    case 'pause':
    case 'clock':
      return [fault.process];
    case 'cut':
    case 'delay':
    case 'black-hole':
      return fault.link.split('->');
    case 'disk-full':
      return ['nats'];
    case 'connections':
      return ['postgresql'];
    case 'certificates':
      return ['certificates'];
  }
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}

function describeSetting(setting: ClockSetting): string {
  if ('at' in setting) return `to ${setting.at}`;
  return `${setting.offsetSeconds < 0 ? '-' : '+'}${Math.abs(setting.offsetSeconds) / 3_600} h`;
}
