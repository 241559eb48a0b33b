import type { PeerCertificate } from 'node:tls';
import { type MethodRule, type Role, roles } from '@muster/contracts/methods';
import { MusterError } from '@muster/product-groups';

/** Tells who calls by the certificate of the peer; undefined when it names no role of this site. */
export type Caller = (certificate: PeerCertificate | undefined) => Role | undefined;

/**
 * Who a certificate names: exactly one URI among its alternative names, `spiffe://<trust domain>/<role>`.
 *
 * The authority that signed it has been checked before, and a host name means nothing here: a peer is its role, wherever
 * it runs.
 *
 * @see https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md
 */
export function roleOf(
  certificate: Pick<PeerCertificate, 'subjectaltname'> | undefined,
  trustDomain: string,
): Role | undefined {
  const uris = alternativeNames(certificate?.subjectaltname ?? '').filter((name) => name.startsWith('URI:'));
  const prefix = `URI:spiffe://${trustDomain}/`;
  const [only] = uris;
  if (uris.length !== 1 || only === undefined || !only.startsWith(prefix)) return undefined;
  return roles.find((role) => role === only.slice(prefix.length));
}

/**
 * The alternative names of a certificate, as Node writes them: separated by commas, and a name that could be mistaken
 * for several stands in quotes.
 */
function alternativeNames(text: string): readonly string[] {
  return text.match(/(?:"(?:\\.|[^"\\])*"|[^",])+/g)?.map((name) => name.trim()) ?? [];
}

/** Why a role may not call a method, if it may not. */
export function mayCall(role: Role | undefined, path: string, rule: MethodRule): MusterError | undefined {
  if (role !== undefined && rule.roles.includes(role)) return undefined;
  return new MusterError({
    code: 'NOT_AUTHORISED',
    message:
      role === undefined
        ? `The caller's certificate names no role of this site or has ended, and ${path} needs one.`
        : `A certificate of the role ${role} may not call ${path}.`,
    remedy: `Call with a certificate of the role ${rule.roles.join(' or ')}.`,
  });
}
