import type { CallOrigin } from '@muster/service-kit';

/** Who the audit trail says has acted, and from where; the last two parameters of every statement that changes something. */
export type Actor = readonly [actor: string, address: string];

/** A caller without a role is whoever has a product key; a call without an origin comes from this process. */
export function actorOf(origin: CallOrigin | undefined): Actor {
  if (origin === undefined) return ['local', ''];
  return [origin.role ?? 'anonymous', origin.address];
}
