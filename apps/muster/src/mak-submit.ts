import type { InstallationResult, VendorAuthority } from '@muster/contracts/vendor';
import { MusterError } from '@muster/product-groups';
import type { VendorKeys } from '@muster/trust';
import { verifyConfirmationFor } from '@muster/wire-codec';
import type { AnsweredInstallation, ConfirmationsFile } from './mak-confirmations.ts';
import type { NamedInstallation } from './mak-lines.ts';

/** Most installations of one call, as vendor.proto says. */
export const mostInstallations = 256;

/** How installations are submitted. */
export interface SubmitParts {
  readonly authority: Pick<VendorAuthority, 'confirmInstallations'>;
  /** A MAK. */
  readonly productKey: string;
  /** The vendors whose confirmations are believed. */
  readonly vendorKeys: VendorKeys;
  /** Installations of one call, at most 256. */
  readonly batchSize?: number;
  /** Told after each batch. */
  readonly onProgress?: (answered: number, toAsk: number) => void;
  /** Ends the run before the next batch. */
  readonly signal?: AbortSignal;
}

/** What a run has come to. */
export interface Submitted {
  /** Installations that were confirmed before and were not asked for. */
  readonly before: number;
  readonly confirmed: number;
  readonly refused: number;
  /** That were not asked for, because the run was interrupted. */
  readonly left: number;
  /** Activations that the MAK has left by the last answer; undefined when nothing was asked. */
  readonly remaining: number | undefined;
}

/**
 * Has installations confirmed by a MAK, in batches. What is confirmed already is not asked for again; what was refused is.
 * Each batch is kept before the next one is asked for, and the authority confirms an installation once and for good: so a
 * run that was broken off anywhere is repeated, and nothing is used twice.
 *
 * @throws MusterError what the call throws for all of a batch, such as `MAK_INVALID` and `UNAVAILABLE`;
 * `CONFIRMATION_INVALID` when an answer does not prove what was asked for; `OUTPUT_UNWRITABLE`. What was kept until then
 * stays.
 */
export async function submitInstallations(
  installations: readonly NamedInstallation[],
  file: ConfirmationsFile,
  parts: SubmitParts,
): Promise<Submitted> {
  const { batchSize = mostInstallations, signal, onProgress } = parts;
  const isConfirmed = ({ installationId }: NamedInstallation) => {
    const answer = file.answers.get(installationId);
    return answer !== undefined && 'confirmation' in answer;
  };
  const toAsk = installations.filter((each) => !isConfirmed(each));
  let [confirmed, answered] = [0, 0];
  let remaining: number | undefined;
  for (const batch of batchesOf(toAsk, batchSize)) {
    if (signal?.aborted) break;
    const response = await parts.authority.confirmInstallations({
      productKey: parts.productKey,
      application: batch[0]?.application ?? '',
      installations: batch.map(({ edition, installationId }) => ({
        edition,
        installationId: Buffer.from(installationId, 'hex'),
      })),
    });
    const answers = await Promise.all(
      batch.map((each, place) => toAnswer(each, response.results[place], parts.vendorKeys)),
    );
    file.append(answers);
    confirmed += answers.filter((answer) => 'confirmation' in answer).length;
    answered += answers.length;
    remaining = response.remaining;
    onProgress?.(answered, toAsk.length);
  }
  const before = installations.length - toAsk.length;
  return { before, confirmed, refused: answered - confirmed, left: toAsk.length - answered, remaining };
}

/** A call is for one application. */
function batchesOf(
  installations: readonly NamedInstallation[],
  size: number,
): readonly (readonly NamedInstallation[])[] {
  const byApplication = Map.groupBy(installations, ({ application }) => application);
  return [...byApplication.values()].flatMap((all) =>
    Array.from({ length: Math.ceil(all.length / size) }, (_, batch) => all.slice(batch * size, (batch + 1) * size)),
  );
}

async function toAnswer(
  installation: NamedInstallation,
  result: InstallationResult | undefined,
  vendorKeys: VendorKeys,
): Promise<AnsweredInstallation> {
  const { installationId, application, edition } = installation;
  const named = { installationId, application, edition };
  if (result === undefined) {
    throw new MusterError({
      code: 'UNAVAILABLE',
      message: 'The authority has answered fewer installations than asked.',
    });
  }
  if (result.confirmation === '') return { ...named, code: result.code, message: result.message };
  const asked = { application, edition, installationId: Buffer.from(installationId, 'hex') };
  await verifyConfirmationFor(result.confirmation, asked, vendorKeys);
  return { ...named, confirmation: result.confirmation };
}
