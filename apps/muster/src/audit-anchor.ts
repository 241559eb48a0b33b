import { MusterError } from '@muster/product-groups';
import type { AuditHead } from '@muster/trust';

/** A place in the audit trail as people keep it: SEQUENCE:HASH, the hash in hexadecimal digits. */
export function formatAuditHead({ sequence, hash }: AuditHead): string {
  return `${sequence}:${Buffer.from(hash).toString('hex')}`;
}

/** Reads what `formatAuditHead` wrote; undefined for anything else. */
export function parseAuditHead(text: string): AuditHead | undefined {
  const [, digits, hash] = /^([1-9]\d{0,15}):([0-9a-f]{64})$/i.exec(text) ?? [];
  const sequence = Number(digits);
  if (hash === undefined || !Number.isSafeInteger(sequence)) return undefined;
  return { sequence, hash: new Uint8Array(Buffer.from(hash, 'hex')) };
}

/**
 * Checks that anchors do not contradict each other.
 *
 * @throws MusterError `INPUT_INVALID`.
 */
export function checkAnchors(anchors: readonly AuditHead[]): void {
  const seen = new Map<number, string>();
  for (const anchor of anchors) {
    const text = formatAuditHead(anchor);
    if ((seen.get(anchor.sequence) ?? text) !== text) {
      throw new MusterError({
        code: 'INPUT_INVALID',
        message: `Two anchors give the record ${anchor.sequence} different hashes.`,
        remedy:
          'Find out which of the two is of this authority: one of them was kept wrongly, or the trail was written anew between them.',
      });
    }
    seen.set(anchor.sequence, text);
  }
}
