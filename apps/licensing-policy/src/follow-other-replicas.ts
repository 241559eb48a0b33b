import type { Logger } from '@muster/service-kit';
import type { LicensingPolicyService } from './service.ts';

const everyMs = 1_000;

/**
 * Takes over every second what other replicas have changed in the database: one number is read. It needs no bus, and a
 * replica that was cut off catches up by itself.
 *
 * @returns what ends it.
 */
export function followOtherReplicas(policy: LicensingPolicyService, logger: Logger): () => void {
  let asking = false;
  let failing = false;
  const follow = async () => {
    if (asking) return;
    asking = true;
    try {
      await policy.refresh();
      failing = false;
    } catch (error) {
      // Said once for each outage.
      if (!failing) logger.warn({ err: error }, 'the policy cannot be read; the last one stays in force');
      failing = true;
    } finally {
      asking = false;
    }
  };
  const timer = setInterval(follow, everyMs);
  return () => clearInterval(timer);
}
