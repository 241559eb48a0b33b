import { MusterError } from '@muster/product-groups';

/** The refusal of a reply that does not prove what it says. */
export function untrusted(message: string, remedy: string): MusterError {
  return new MusterError({ code: 'UNTRUSTED_HOST', message, remedy });
}
