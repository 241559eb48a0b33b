import { issueGatewayCredential, issueHostCertificate, signBatch } from '@muster/trust';
import {
  type ActivationReply,
  type ActivationResult,
  defaultClockToleranceMs,
  encodeActivationReply,
  encodeFrame,
  FrameType,
  signResults,
} from '../src/index.ts';
import {
  certificateOptions,
  credentialOptions,
  dayMs,
  flipBit,
  gateway,
  gatewayCredential,
  granted,
  hostCertificate,
  minuteMs,
  noonMs,
  otherGateway,
  otherHost,
  otherVendor,
  refused,
  replyWith,
  request,
  vendor,
} from './fixtures.ts';
import { hex, withHex } from './hex.ts';

interface ReplyVector {
  readonly frame: string;
  /** The result, where a client believes it. */
  readonly result?: Record<string, unknown>;
  /** The step of docs/protocol.md at which a client refuses the reply. */
  readonly step?: number;
  readonly reason?: string;
}

/** Connections: the reply frames that arrive on each, in order, and what the client of `request` makes of each. */
export async function replyVectors() {
  const first = replyWith(granted);
  const { gatewayCredential: _, hostCertificate: __, ...later } = first;
  const batch = signResults([refused, granted, { ...granted, nonce: new Uint8Array(32).fill(7) }], gateway);
  const chain = { gatewayCredential, hostCertificate };
  const vendorless = await issueHostCertificate({ ...certificateOptions, vendorKey: otherVendor });
  const hostless = await issueGatewayCredential({ ...credentialOptions, hostKey: otherHost });
  const narrow = await issueHostCertificate({ ...certificateOptions, editions: ['vista-business'] });
  const notes = Buffer.from('not a result');
  const renewed = await issueGatewayCredential({ ...credentialOptions, gatewayPublicKey: otherGateway.publicKey });
  const byOther = signResults([granted], otherGateway)[0];
  const issued = (issuedAtMs: number) =>
    replyWith({ ...granted, issuedAtMs, expiresAtMs: issuedAtMs + granted.validityMinutes * minuteMs });
  const grant = (change: Partial<ActivationResult>) => replyWith({ ...granted, ...change });
  return {
    vendorPublicKeys: [hex(vendor.publicKey)],
    request: withHex({
      nonce: request.nonce,
      application: request.application,
      edition: request.edition,
      cmid: request.cmid,
    }),
    nowMs: noonMs + 200,
    clockToleranceMs: defaultClockToleranceMs,
    connections: [
      connection('a grant', believed(first, granted)),
      connection('a refusal', believed(replyWith(refused), refused)),
      connection(
        'a grant and its renewal, without what has not changed',
        believed(first, granted),
        believed(later, granted),
      ),
      connection(
        'a refusal and a grant of one batch of three',
        ...[refused, granted].map((result, index) =>
          believed({ ...batch[index], ...(index === 0 ? chain : {}) } as ActivationReply, result),
        ),
      ),
      connection(
        'a gateway that renews its credential and key',
        believed(first, granted),
        believed({ ...later, ...byOther, gatewayCredential: renewed }, granted),
        untrusted(4, 'The old key no longer counts.', later),
      ),
      connection('nothing remembered', untrusted(1, 'No credential or certificate has come yet.', later)),
      refusedAlone(2, 'The certificate is by a vendor that is not trusted.', { ...first, hostCertificate: vendorless }),
      refusedAlone(3, 'The credential is by another host.', { ...first, gatewayCredential: hostless }),
      refusedAlone(4, 'Another gateway has signed.', replyWith(granted, otherGateway)),
      refusedAlone(4, 'A bit of the signed body was changed.', { ...first, signedBody: flipBit(first.signedBody, 9) }),
      refusedAlone(4, 'A bit of the signature was changed.', {
        ...first,
        proof: { ...first.proof, signature: flipBit(first.proof.signature, 9) },
      }),
      refusedAlone(4, 'The leaf index has a bit left over.', { ...first, proof: { ...first.proof, leafIndex: 1 } }),
      refusedAlone(4, 'The proof is that of a neighbour in the batch.', {
        ...chain,
        ...batch[0],
        signedBody: batch[1]?.signedBody,
      } as ActivationReply),
      refusedAlone(5, 'The gateway has signed something that is no result.', {
        ...first,
        signedBody: notes,
        proof: signBatch([notes], gateway)[0],
      } as ActivationReply),
      refusedAlone(6, 'The nonce is that of another request.', { ...chain, ...batch[2] } as ActivationReply),
      refusedAlone(6, 'The edition is another one.', grant({ edition: 'vista-business' })),
      refusedAlone(6, 'The machine is another one.', grant({ cmid: '6ba7b810-9dad-41d1-80b4-00c04fd430c9' })),
      refusedAlone(7, 'The host id is not that of the certificate.', grant({ hostId: request.cmid })),
      refusedAlone(8, 'The credential had not begun.', issued(credentialOptions.issuedAtMs - 1)),
      refusedAlone(8, 'The credential was over.', issued(credentialOptions.expiresAtMs)),
      refusedAlone(9, 'A refusal carries an end.', replyWith({ ...refused, expiresAtMs: noonMs + dayMs })),
      refusedAlone(10, 'The certificate does not cover the edition.', { ...first, hostCertificate: narrow }),
      refusedAlone(10, 'The count is below the threshold.', grant({ count: 4 })),
      refusedAlone(11, 'The end does not fit the validity.', grant({ expiresAtMs: granted.expiresAtMs + 1 })),
      refusedAlone(
        11,
        'The validity is beyond 730 days.',
        grant({ validityMinutes: 1_051_201, expiresAtMs: noonMs + 1_051_201 * minuteMs }),
      ),
      refusedAlone(
        12,
        'It was issued more than the tolerance before now.',
        issued(noonMs + 200 - defaultClockToleranceMs - 1),
      ),
    ],
  };
}

function connection(name: string, ...replies: readonly ReplyVector[]) {
  return { name, replies };
}

function refusedAlone(step: number, reason: string, reply: ActivationReply) {
  return connection(reason, untrusted(step, reason, reply));
}

function believed(reply: ActivationReply, result: ActivationResult): ReplyVector {
  return { frame: frame(reply), result: withHex(result) };
}

function untrusted(step: number, reason: string, reply: ActivationReply): ReplyVector {
  return { frame: frame(reply), step, reason };
}

function frame(reply: ActivationReply): string {
  return hex(encodeFrame(FrameType.activationReply, encodeActivationReply(reply)));
}
