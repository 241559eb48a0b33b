import { isWithin, type VendorKeys, verifyBatchProof } from '@muster/trust';
import type { ActivationReply } from './activation-reply.ts';
import type { ActivationRequest } from './activation-request.ts';
import { type ActivationResult, parseActivationResult } from './activation-result.ts';
import { type ChainMemory, createChainMemory, type VerifiedChain } from './chain-memory.ts';
import { untrusted } from './untrusted.ts';

/** How far the client's and the host's clock may differ for a grant: the 4 hours of DESIGN 2.3 and 5 minutes of way. */
export const defaultClockToleranceMs = (4 * 60 + 5) * 60 * 1000;

/** The longest validity that a catalogue may give: 730 days (DESIGN 2.3). */
export const maximumValidityMinutes = 730 * 24 * 60;

const minuteMs = 60_000;

/** What a reply is verified against. */
export interface VerifyActivationReplyOptions {
  readonly reply: ActivationReply;
  readonly request: Pick<ActivationRequest, 'nonce' | 'application' | 'edition' | 'cmid'>;
  /** The vendor keys that the client was built with. */
  readonly vendorKeys: VendorKeys;
  /** The client's clock, epoch milliseconds. */
  readonly nowMs: number;
  /** Milliseconds, 4 h 5 min unless told. */
  readonly clockToleranceMs?: number;
  /** The connection's memory. Without one, the reply must bring both credential and certificate. */
  readonly memory?: ChainMemory;
}

/** A result that is proved: everything a client stores. It may be a refusal, see `code`. */
export interface VerifiedActivation extends ActivationResult {
  readonly vendor: string;
  readonly vendorKeyId: string;
  readonly productGroup: string;
  readonly gatewayId: string;
  /** Until when the vendor lets the host activate, epoch milliseconds. */
  readonly certificateExpiresAtMs: number;
}

/**
 * Verifies a reply from the vendor's key down to the result: vendor -> host -> gateway -> result (DESIGN 3), in the
 * order that docs/protocol.md gives. Rejects with UNTRUSTED_HOST, its message naming the broken link.
 *
 * A refusal is believed whatever the client's clock says, because that clock may be why it was refused; a grant must
 * have been issued about now, so that an old gateway key cannot grant under an old date.
 */
export async function verifyActivationReply(options: VerifyActivationReplyOptions): Promise<VerifiedActivation> {
  const { reply, request, vendorKeys, nowMs, clockToleranceMs = defaultClockToleranceMs } = options;
  const memory = options.memory ?? createChainMemory();
  const chain = await memory.receive(reply, vendorKeys);
  if (!verifyBatchProof(reply.signedBody, reply.proof, chain.credential.gatewayPublicKey)) {
    throw unproved('is not signed by the gateway that the credential names');
  }
  const parsed = parseActivationResult(reply.signedBody);
  if (!parsed.ok) throw unproved(`cannot be read: ${parsed.problem.message.replace(/\.$/, '')}`);
  const { result } = parsed;
  checkAnswersRequest(result, request);
  checkIssuedByHost(result, chain);
  if (result.code === 'GRANTED') checkGrant(result, chain, nowMs, clockToleranceMs);
  else if (result.validityMinutes !== 0 || result.expiresAtMs !== 0)
    throw unproved('refuses and yet carries a validity');
  const { certificate, credential } = chain;
  return {
    ...result,
    vendor: certificate.vendor,
    vendorKeyId: certificate.vendorKeyId,
    productGroup: certificate.productGroup,
    gatewayId: credential.gatewayId,
    certificateExpiresAtMs: certificate.expiresAtMs,
  };
}

function checkAnswersRequest(result: ActivationResult, request: VerifyActivationReplyOptions['request']): void {
  if (!equalBytes(result.nonce, request.nonce)) throw unproved('answers another request (nonce)');
  if (result.application !== request.application) throw unproved('is for another application');
  if (result.edition !== request.edition) throw unproved('is for another edition');
  if (result.cmid !== request.cmid.toLowerCase()) throw unproved('is for another machine (cmid)');
}

function checkIssuedByHost(result: ActivationResult, { certificate, credential }: VerifiedChain): void {
  if (result.hostId !== certificate.hostId) throw unproved('names another host than the certificate does');
  if (!isWithin(certificate, result.issuedAtMs)) {
    throw unproved('was issued outside the validity of the host certificate');
  }
  if (!isWithin(credential, result.issuedAtMs)) {
    throw unproved('was issued outside the validity of the gateway credential');
  }
}

function checkGrant(
  result: ActivationResult,
  { certificate }: VerifiedChain,
  nowMs: number,
  clockToleranceMs: number,
): void {
  if (certificate.application !== result.application) {
    throw unproved('grants an application that the host certificate does not cover');
  }
  if (!certificate.editions.includes(result.edition)) {
    throw unproved('grants an edition that the host certificate does not cover');
  }
  if (result.threshold < 1 || result.count < result.threshold) throw unproved('grants below the threshold');
  if (result.validityMinutes < 1 || result.validityMinutes > maximumValidityMinutes) {
    throw unproved('grants a validity outside 1 minute to 730 days');
  }
  if (result.expiresAtMs !== result.issuedAtMs + result.validityMinutes * minuteMs) {
    throw unproved('expires at another time than its validity says');
  }
  // Written so that a clock that is not a number refuses too.
  if (!(Math.abs(result.issuedAtMs - nowMs) <= clockToleranceMs)) {
    throw untrusted(
      "The signed result was issued at a time too far from this machine's clock to be a fresh grant.",
      'Set the clock of this machine, or that of the host, and ask again.',
    );
  }
}

function unproved(problem: string): Error {
  return untrusted(
    `The signed result ${problem}.`,
    'Ask again; if it stays so, something between this machine and the host changes or replays replies.',
  );
}

function equalBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
